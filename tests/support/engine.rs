//! Sockets that stand before an engine: one that passes everything on, writes it down and can break it off, and one
//! that only says what it is.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

/// Where the real engine is.
pub const SOCKET: &str = "/var/run/docker.sock";

/// A socket that stands before an engine.
pub struct Relay {
    directory: tempfile::TempDir,
    said: Arc<Mutex<Vec<u8>>>,
    open: Arc<Mutex<Vec<UnixStream>>>,
    away: Arc<AtomicBool>,
    turned_away: Arc<AtomicUsize>,
}

impl Relay {
    /// Passes everything on to the real engine.
    pub fn new() -> Self {
        Self::with(|client| {
            let engine = UnixStream::connect(SOCKET).unwrap();
            let (mut from, mut to) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            Box::new(engine)
        })
    }

    /// Answers every question with an empty list, and with these lines in the head.
    pub fn answering(head: &'static str) -> Self {
        let answer = format!(
            "HTTP/1.1 200 OK\r\n{head}Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
        );
        Self::with(move |client| Box::new(Answering { client, answer: answer.clone() }))
    }

    fn with(mut begin: impl FnMut(UnixStream) -> Box<dyn Write + Send> + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("engine.sock")).unwrap();
        let (said, open) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<UnixStream>>>::default());
        let (away, turned_away) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let relay = Self {
            directory,
            said: Arc::clone(&said),
            open: Arc::clone(&open),
            away: Arc::clone(&away),
            turned_away: Arc::clone(&turned_away),
        };
        std::thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                if away.load(SeqCst) {
                    turned_away.fetch_add(1, SeqCst);
                    continue;
                }
                open.lock().unwrap().push(client.try_clone().unwrap());
                let mut onward = begin(client.try_clone().unwrap());
                let said = Arc::clone(&said);
                std::thread::spawn(move || {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(count @ 1..) = client.read(&mut buffer) {
                        said.lock().unwrap().extend_from_slice(&buffer[..count]);
                        if onward.write_all(&buffer[..count]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        relay
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("unix://{}", self.directory.path().join("engine.sock").display())
    }

    /// The first lines of all requests.
    pub fn requests(&self) -> Vec<String> {
        let said = String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned();
        said.split("\r\n").filter_map(|line| line.strip_suffix(" HTTP/1.1")).map(request).collect()
    }

    /// Whether this went to the engine.
    pub fn said(&self, text: &str) -> bool {
        self.said.lock().unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// The engine goes away: all that is open breaks off, and nothing more comes through.
    pub fn leave(&self) {
        self.away.store(true, SeqCst);
        self.cut();
    }

    /// The engine comes back; answers how often it was asked for meanwhile.
    pub fn come_back(&self) -> usize {
        self.away.store(false, SeqCst);
        self.turned_away.swap(0, SeqCst)
    }

    /// Breaks off all that is open.
    pub fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Answers the end of a request's head.
struct Answering {
    client: UnixStream,
    answer: String,
}

impl Write for Answering {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.ends_with(b"\r\n\r\n") {
            self.client.write_all(self.answer.as_bytes())?;
            self.client.shutdown(Shutdown::Both)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A body that came before on the same connection may end on the same line.
fn request(line: &str) -> String {
    let begin =
        ["GET /", "POST /", "PUT /", "DELETE /", "HEAD /"].iter().filter_map(|verb| line.rfind(verb)).max();
    line[begin.unwrap_or(0)..].to_owned()
}
