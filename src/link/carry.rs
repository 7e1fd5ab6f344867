//! The carrier: each connection to one of its ports is one connection to the socket, after a line with the port's name.

use crate::run::READY;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections carried at once for each name; a further one waits in the listener's queue. Each takes two threads and
/// two descriptors: of 1024, as a container mostly has of either, half is left for the agent.
const MOST: usize = 256;
/// A daemon that is started again is back within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client whose words nobody wants is listened to for this long.
const FAREWELL: Duration = Duration::from_secs(2);
const STACK: usize = 64 * 1024;

/// `carry --bind NAME=PORT…`: says that it listens, or why it does not, and never returns.
pub fn carry(arguments: &[String]) -> Result<(), String> {
    let listeners = match listen(arguments) {
        Ok(listeners) => listeners,
        Err(why) => {
            say(why.as_bytes());
            return Err(why);
        }
    };
    say(READY);
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|(name, listener)| thread::spawn(move || accept(&name, &listener)))
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "an accepting thread died")?;
    }
    Ok(())
}

/// To the supervisor; it may have died, and the carrier serves all the same.
fn say(word: &[u8]) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(word).and_then(|()| stdout.flush());
}

fn listen(arguments: &[String]) -> Result<Vec<(String, TcpListener)>, String> {
    let binds = arguments.iter().filter(|argument| *argument != "--bind");
    let listener = |bind: &String| {
        let (name, port) = bind.split_once('=').ok_or_else(|| format!("`{bind}` is not NAME=PORT"))?;
        let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        let listener =
            TcpListener::bind(("127.0.0.1", port)).map_err(|error| format!("port {port}: {error}"))?;
        Ok((name.to_owned(), listener))
    };
    binds.map(listener).collect()
}

fn accept(name: &str, listener: &TcpListener) {
    let carried = Arc::new(AtomicUsize::new(0));
    loop {
        while carried.load(Ordering::Acquire) >= MOST {
            thread::sleep(Duration::from_millis(5));
        }
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        carried.fetch_add(1, Ordering::AcqRel);
        let (name, place) = (name.to_owned(), Place(Arc::clone(&carried)));
        // Without a thread the connection is closed, and its place given back, by their drop.
        let _ = thread::Builder::new().stack_size(STACK).spawn(move || {
            let _place = place;
            connection(&name, stream);
        });
    }
}

/// One of the places of `MOST`.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn connection(name: &str, inside: TcpStream) {
    let _ = inside.set_nodelay(true);
    let Some(outside) = open(name) else {
        if name == "proxy" {
            excuse(&inside);
        }
        return;
    };
    let both = Arc::new((inside, outside));
    let up = Arc::clone(&both);
    let spawned = thread::Builder::new().stack_size(STACK).spawn(move || {
        let (inside, outside) = &*up;
        match copy(inside, outside) {
            End::Said => drop(outside.shutdown(Shutdown::Write)),
            End::Lost => drop(outside.shutdown(Shutdown::Both)),
            End::Refused => drain(inside),
        }
    });
    let Ok(up) = spawned else { return };
    let (inside, outside) = &*both;
    copy(outside, inside);
    let _ = inside.shutdown(Shutdown::Write);
    let _ = up.join();
}

/// Says in HTTP that there is no daemon.
fn excuse(mut inside: &TcpStream) {
    let body = "clauderon's daemon is not there; `clauderon up` starts it again\n";
    let head = format!(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = inside.write_all(format!("{head}{body}").as_bytes());
    let _ = inside.shutdown(Shutdown::Write);
    drain(inside);
}

/// Reads away what a client still sends: closing before that would be a reset, which takes the answer with it.
fn drain(mut inside: &TcpStream) {
    let _ = inside.set_read_timeout(Some(Duration::from_millis(200)));
    let (start, mut buffer) = (Instant::now(), [0; 4096]);
    while start.elapsed() < FAREWELL && inside.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

/// Connects to the socket and says whose bytes follow; waits for a daemon that is being started again.
fn open(name: &str) -> Option<UnixStream> {
    let start = Instant::now();
    loop {
        let opened = UnixStream::connect(crate::socket()).and_then(|mut out| {
            out.write_all(format!("{name}\n").as_bytes())?;
            Ok(out)
        });
        match opened {
            Ok(out) => return Some(out),
            Err(_) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(50)),
            Err(_) => return None,
        }
    }
}

/// Why a copy came to its end.
enum End {
    /// The source has said all.
    Said,
    /// The source vanished.
    Lost,
    /// The destination takes no more.
    Refused,
}

fn copy(mut from: impl Read, mut to: impl Write) -> End {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return End::Said,
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    return End::Refused;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return End::Lost,
        }
    }
}
