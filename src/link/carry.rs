//! The carrier: each connection to one of its ports is one connection to the socket, after a line with the port's name.

use crate::run::READY;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Connections carried at once; a further one waits in the listener's queue.
const MOST: usize = 512;
/// A daemon that is started again is back within this time.
const PATIENCE: Duration = Duration::from_secs(10);
const STACK: usize = 64 * 1024;

/// `carry --bind NAME=PORT…`: never returns.
pub fn carry(arguments: &[String]) -> Result<(), String> {
    let mut listeners = Vec::new();
    for bind in arguments.iter().filter(|argument| *argument != "--bind") {
        let (name, port) = bind.split_once('=').ok_or_else(|| format!("`{bind}` is not NAME=PORT"))?;
        let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|error| format!("port {port}: {error}"))?;
        listeners.push((name.to_owned(), listener));
    }
    let mut stdout = io::stdout();
    // The supervisor that would read it may have died; the carrier serves all the same.
    let _ = stdout.write_all(READY).and_then(|()| stdout.flush());
    let carried = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|(name, listener)| {
            let carried = Arc::clone(&carried);
            thread::spawn(move || accept(&name, &listener, &carried))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "an accepting thread died")?;
    }
    Ok(())
}

fn accept(name: &str, listener: &TcpListener, carried: &Arc<AtomicUsize>) {
    loop {
        while carried.load(Ordering::Acquire) >= MOST {
            thread::sleep(Duration::from_millis(5));
        }
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        carried.fetch_add(1, Ordering::AcqRel);
        let (name, place) = (name.to_owned(), Place(Arc::clone(carried)));
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

fn connection(name: &str, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Some(mut out) = open(name) else {
        if name == "proxy" {
            let body = "clauderon's daemon is not there; `clauderon up` starts it again\n";
            let head = format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
        return;
    };
    let (Ok(mut stream_in), Ok(mut out_in)) = (stream.try_clone(), out.try_clone()) else { return };
    let up = thread::Builder::new().stack_size(STACK).spawn(move || {
        let _ = copy(&mut stream_in, &mut out);
        let _ = out.shutdown(Shutdown::Write);
    });
    if up.is_err() {
        return;
    }
    let _ = copy(&mut out_in, &mut stream);
    let _ = stream.shutdown(Shutdown::Write);
    if let Ok(up) = up {
        let _ = up.join();
    }
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

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
