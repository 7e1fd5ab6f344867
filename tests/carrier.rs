//! The link's carrier and its processes at their limits, in their ends and in a real container; `link.rs` has the rest.

mod carry;
mod container;
mod hook;
mod json;
mod run;

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A link of one test's own, with the processes that it leaves.
struct Link {
    directory: tempfile::TempDir,
}

impl Link {
    fn new() -> Self {
        let link = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(link.spool()).unwrap();
        link.install();
        link
    }

    /// Puts the program in place as an update does: a new file under the old name.
    fn install(&self) {
        let new = self.directory.path().join("new");
        // Written by another process: a descriptor open for writing that a neighbouring test's child inherits would
        // make the program busy.
        let mut child =
            Command::new("sh").args(["-c", "cat >\"$0\""]).arg(&new).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(clauderon::proxy::program::LINK).unwrap();
        assert!(child.wait().unwrap().success());
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, self.program()).unwrap();
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("link")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("link.sock")
    }

    fn spool(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    fn listen(&self) -> UnixListener {
        UnixListener::bind(self.socket()).unwrap()
    }

    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(self.program());
        command.args(arguments).env("CLAUDERON_LINK_SOCKET", self.socket());
        command
    }

    /// Starts a carrier for one name and answers its port.
    fn carry(&self, name: &str) -> u16 {
        let port = free_port();
        let bind = format!("{name}={port}");
        let status = self.command(["run", "--bind", &bind, "--", "true"]).status().unwrap();
        assert!(status.success(), "{status}");
        port
    }

    /// Its processes that run a verb, without those that are ending.
    fn processes(&self, verb: &str) -> Vec<Process> {
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Process::read(id, &self.program())
        });
        all.filter(|process| process.verb == verb).collect()
    }

    fn kill(&self, verb: &str) {
        for process in self.processes(verb) {
            // It may have ended by itself meanwhile.
            let _ = kill_process(process.id, Signal::KILL);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for verb in ["supervise", "carry", "detach"] {
            self.kill(verb);
        }
    }
}

/// A process of the link.
struct Process {
    id: Pid,
    parent: i32,
    group: i32,
    verb: String,
}

impl Process {
    fn read(id: i32, program: &Path) -> Option<Self> {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
        let mut words = line.split('\0');
        if Path::new(words.next()?) != program {
            return None;
        }
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(1).map(|field| field.parse().unwrap_or(0));
        let (parent, group) = (fields.next()?, fields.next()?);
        Some(Self { id: Pid::from_raw(id)?, parent, group, verb: words.next()?.to_owned() })
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Accepts one connection and reads its first line.
fn accept(listener: &UnixListener) -> (String, UnixStream) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") {
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    (String::from_utf8(line).unwrap(), stream)
}

/// Serves every connection by sending back what comes, in a thread for each.
fn echo(listener: UnixListener) {
    std::thread::spawn(move || {
        loop {
            let (_, stream) = accept(&listener);
            std::thread::spawn(move || {
                // A test may end in the midst of it.
                let _ = std::io::copy(&mut &stream, &mut &stream);
                let _ = stream.shutdown(std::net::Shutdown::Write);
            });
        }
    });
}

/// Whether a connection to the port is answered with what it sends.
fn echoes(port: u16) -> bool {
    let asked = || -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"ping")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| &answer == b"ping")
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
