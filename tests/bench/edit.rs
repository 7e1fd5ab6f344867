//! From an edit to its effect in a running session, for the benchmark of reconciling: `edit MANIFEST SOCKET PORT TURNS`.
//! In each turn one host of the manifest that is allowed, `hN.example`, is shut by a save of the file, and its request
//! through the session's socket, which this program repeats, is timed until it is refused. What answers is this program.
//! Prints `edit MIN MEDIAN MAX`, in milliseconds.
#![allow(clippy::disallowed_methods)] // Its own errors are told as they are.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// What takes longer has not been seen at all.
const LIMIT: Duration = Duration::from_secs(30);
/// From one request to the next.
const PAUSE: Duration = Duration::from_millis(1);
/// Between two edits: the watch is armed anew after each.
const REST: Duration = Duration::from_millis(700);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(text) => {
            let written = std::io::stdout().write_all(text.as_bytes());
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "edit: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<String, Failure> {
    let [manifest, socket, port, turns] = words else {
        return Err("usage: edit MANIFEST SOCKET PORT TURNS".into());
    };
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?))?;
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream))));
    let mut times = Vec::new();
    for turn in 0..turns.parse()? {
        times.push(edit(Path::new(manifest), Path::new(socket), turn)?);
        std::thread::sleep(REST);
    }
    times.sort_by(f64::total_cmp);
    let (least, most) = (times.first().ok_or("no turn")?, times.last().ok_or("no turn")?);
    Ok(format!("edit {least:.1} {:.1} {most:.1}\n", times[times.len() / 2]))
}

fn answer(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head)?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
}

/// One turn: odd ones save by a rename, as editors do, even ones in place.
fn edit(manifest: &Path, socket: &Path, turn: usize) -> Result<f64, Failure> {
    let host = format!("h{turn}.example");
    if ask(socket, &host)? != 204 {
        return Err(format!("`{host}` was refused before").into());
    }
    let text = std::fs::read_to_string(manifest)?;
    let line = text.lines().find(|line| line.contains(&host)).ok_or("the manifest does not name it")?;
    let text = text.replace(line, &format!("    {host}: false"));
    let start = Instant::now();
    if turn.is_multiple_of(2) {
        std::fs::write(manifest, text)?;
    } else {
        let new = manifest.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, manifest)?;
    }
    while ask(socket, &host)? != 403 {
        if start.elapsed() > LIMIT {
            return Err(format!("`{host}` was not refused within {LIMIT:?}").into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

/// The status of a request as the container's link sends it.
fn ask(socket: &Path, host: &str) -> Result<u16, Failure> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "proxy\nGET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(std::str::from_utf8(&head)?.rsplit(' ').next().unwrap_or_default().parse()?)
}
