//! Posts hook events over kept connections as fast as they are answered: `hooks SECONDS EACH TO…` opens EACH connections to
//! every TO, which is `SOCKET=ID=TOKEN` of a session, or `HOST:PORT` of a server that answers anything; prints
//! `count=… rate=… p50=… p99=…`, the times in milliseconds. An answer other than 204 ends it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, each, targets @ ..] = words.as_slice() else {
        return Err("usage: hooks SECONDS EACH TO…".into());
    };
    let (length, each): (f64, usize) = (seconds.parse()?, each.parse()?);
    let end = Instant::now() + Duration::from_secs_f64(length);
    let threads: Vec<_> = targets
        .iter()
        .flat_map(|target| std::iter::repeat_n(target.clone(), each))
        .map(|target| std::thread::spawn(move || post(&target, end)))
        .collect();
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().map_err(|_| "a connection's thread broke down")??);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
    let count = times.len();
    #[allow(clippy::cast_precision_loss, clippy::print_stdout)]
    // A benchmark counts no further than millions.
    {
        println!("count={count} rate={:.0} p50={:.3} p99={:.3}", count as f64 / length, at(50), at(99));
    }
    Ok(())
}

/// The milliseconds that each event took.
fn post(target: &str, end: Instant) -> Result<Vec<f64>, Failure> {
    let (mut stream, id, token): (Box<dyn Stream>, &str, &str) = match target.split('=').collect::<Vec<_>>()[..]
    {
        [socket, id, token] => {
            let mut stream = UnixStream::connect(socket)?;
            stream.write_all(b"hooks\n")?;
            (Box::new(stream), id, token)
        }
        _ => {
            let stream = TcpStream::connect(target)?;
            stream.set_nodelay(true)?;
            (Box::new(stream), "0", "0")
        }
    };
    let data = r#"{"hook_event_name":"PostToolUse","session_id":"6f0a1b2c","cwd":"/workspace","tool_name":"Bash","tool_input":{"command":"cargo test --workspace","description":"Run the tests"},"tool_response":{"stdout":"test result: ok. 42 passed; 0 failed","stderr":"","interrupted":false}}"#;
    let body = format!(
        r#"{{"session_id":"{id}","event":"PostToolUse","timestamp":"2026-01-01T00:00:00.000Z","data":{data}}}"#
    );
    let request = format!(
        "POST /api/hooks HTTP/1.1\r\nHost: host.docker.internal\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (mut times, mut answer) = (Vec::new(), [0; 1024]);
    while Instant::now() < end {
        let begin = Instant::now();
        stream.write_all(request.as_bytes())?;
        let mut read = 0;
        while !answer[..read].ends_with(b"\r\n\r\n") {
            match stream.read(&mut answer[read..])? {
                0 => return Err("the connection was closed".into()),
                count => read += count,
            }
        }
        if !answer.starts_with(b"HTTP/1.1 204") {
            return Err(String::from_utf8_lossy(&answer[..read]).into_owned().into());
        }
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
