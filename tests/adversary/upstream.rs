//! An upstream on this machine that writes down each byte it is sent, and answers as badly as its path says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The upstream.
pub struct Upstream {
    pub port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Upstream {
    pub fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, heard) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<u8>>>::default());
        let hears = Arc::clone(&heard);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let hears = Arc::clone(&hears);
                std::thread::spawn(move || converse(stream, &hears));
            }
        });
        Self { port, heard }
    }

    /// Whether it was sent this.
    pub fn heard(&self, text: &str) -> bool {
        self.heard.lock().unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    }
}

fn converse(mut stream: TcpStream, heard: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 1 << 16];
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        head.extend_from_slice(&buffer[..count]);
        heard.lock().unwrap().extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    // Nobody is left to be told of a client that went away.
    let _ = answer(&mut stream, path, &text);
}

fn whole(stream: &mut TcpStream, head: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn answer(stream: &mut TcpStream, path: &str, request: &str) -> std::io::Result<()> {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    match path.split('?').next().unwrap_or_default() {
        "/echo" => whole(stream, "200 OK\r\n", request.as_bytes()),
        "/bomb" => whole(stream, "200 OK\r\nContent-Encoding: gzip\r\n", &bomb()),
        "/garbage" => stream.write_all(&[0x00, 0xff, 0x16, 0x03, 0x0a].repeat(20_000)),
        "/half" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"),
        "/chunk" => stream.write_all(format!("{chunked}zz\r\n").as_bytes()),
        "/chunks" => stream.write_all(format!("{chunked}5\r\nhe").as_bytes()),
        "/lengths" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 40\r\n\r\nabc")
        }
        "/head" => stream.write_all(&[b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 4 << 20]].concat()),
        "/heads" => stream.write_all(&[&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(5000)].concat()),
        "/switch" => stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\nraw"),
        "/split" => whole(stream, "200 OK\r\nX: a\rSet-Cookie: b\r\n", b"split"),
        "/none" => Ok(()),
        "/silent" => {
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        "/slow" => slowly(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow"),
        path if path.starts_with("/to/") => {
            let target = path["/to/".len()..].replace('~', "/");
            whole(stream, &format!("302 Found\r\nLocation: {target}\r\n"), b"")
        }
        _ => whole(stream, "200 OK\r\n", b"reached"),
    }
}

fn slowly(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte])?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A gigabyte of zeros, as gzip has it.
pub fn bomb() -> Vec<u8> {
    let script = "head -c 1073741824 /dev/zero | gzip -1";
    std::process::Command::new("bash").args(["-c", script]).output().unwrap().stdout
}
