//! The daemon's life as a process: started, killed, started again, raced for; and its sessions' sockets.

use clauderon::daemon::client::Client;
use clauderon::daemon::record::{self, Record};
use clauderon::daemon::{Error, spawn};
use clauderon::home::Home;
use clauderon::store::{Filter, Reader};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_clauderon");

/// A home whose daemon is ended with it.
struct Place {
    directory: tempfile::TempDir,
    home: Home,
}

impl Place {
    fn new(below: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().join(below));
        clauderon::fs::create_private_dir(home.path()).unwrap();
        Self { directory, home }
    }

    async fn daemon(&self) -> Client {
        spawn::ensure(&self.home, Path::new(PROGRAM)).await.unwrap()
    }

    fn add(&self, id: &str) -> String {
        let record = Record {
            id: id.to_owned(),
            project: "shop".to_owned(),
            root: PathBuf::from("/shop"),
            session: "login".to_owned(),
            container: "clauderon-shop-login".to_owned(),
            parent: None,
            branch: None,
            checkout: None,
            excludes: Vec::new(),
            rules: clauderon::proxy::rules::Rules::default(),
            authorities: Default::default(),
            credentials: Vec::new(),
            active: true,
        };
        record::write(&self.home, &record).unwrap();
        clauderon::hooks::token::load(&self.home.session(id).path().join("token")).unwrap()
    }

    /// Posts an event as the link does; the answer's first line.
    fn post(&self, id: &str, token: &str, event: &str) -> std::io::Result<String> {
        // The path may be too long for an address; the link's own, in the container, is short.
        let short = self.directory.path().join("short");
        let _ = std::fs::remove_file(&short);
        std::os::unix::fs::symlink(self.home.session(id).run(), &short)?;
        let mut stream = UnixStream::connect(short.join("link.sock"))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let body = format!(r#"{{"session_id":"{id}","event":"{event}","timestamp":null,"data":{{}}}}"#);
        write!(
            stream,
            "hooks\nPOST /api/hooks HTTP/1.1\r\nHost: host.docker.internal:1\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    fn kinds(&self) -> Vec<String> {
        let reader = Reader::open(&self.home.database()).unwrap();
        let events = reader.events(&Filter { limit: 100, ..Filter::default() }).unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::process::Command::new(PROGRAM)
            .args(["daemon", "stop"])
            .env("CLAUDERON_HOME", self.home.path())
            .output();
    }
}

const STORED: &str = "HTTP/1.1 204 No Content";

#[tokio::test]
async fn of_many_that_start_a_daemon_at_once_all_talk_to_one() {
    let place = Place::new("home");
    let starts = (0..6).map(|_| async { place.daemon().await.status().await.unwrap().pid });
    let pids = futures_util::future::join_all(starts).await;
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[tokio::test]
async fn a_killed_daemon_is_replaced_and_loses_no_event() {
    let place = Place::new("home");
    let token = place.add("a");
    let killed = place.daemon().await.status().await.unwrap().pid;
    assert_eq!(place.post("a", &token, "SessionStart").unwrap(), STORED);
    let pid = rustix::process::Pid::from_raw(i32::try_from(killed).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let gone = Instant::now() + Duration::from_secs(5);
    while Client::connect(&place.home).await.is_ok() && Instant::now() < gone {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(place.post("a", &token, "Lost").is_err());
    clauderon::fs::create_private_dir(&place.home.session("a").spool()).unwrap();
    let spooled = r#"{"session_id":"a","event":"UserPromptSubmit","data":null}"#;
    std::fs::write(place.home.session("a").spool().join("1.json"), spooled).unwrap();
    let status = place.daemon().await.status().await.unwrap();
    assert!(status.pid != killed && status.sessions == 1);
    assert_eq!(place.post("a", &token, "Stop").unwrap(), STORED);
    assert_eq!(place.kinds(), ["SessionStart", "UserPromptSubmit", "Stop"]);
}

/// One that ends goes on holding the lock while its connections finish, and answers nobody any more.
#[tokio::test]
async fn a_daemon_is_had_though_the_last_one_is_still_ending() {
    let place = Place::new("home");
    let lock = clauderon::fs::append(&place.home.daemon_lock()).unwrap();
    lock.lock().unwrap();
    let ending = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(700));
        drop(lock);
    });
    let begun = Instant::now();
    assert_eq!(place.daemon().await.status().await.unwrap().sessions, 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    ending.await.unwrap();
}

#[tokio::test]
async fn a_session_is_served_however_long_the_homes_path_is() {
    let place = Place::new(&"h".repeat(60));
    let id = "01936000-0000-7000-8000-000000000000";
    assert!(place.home.session(id).socket().as_os_str().len() > 108);
    let token = place.add(id);
    place.daemon().await.watch(&[id.to_owned()]).await.unwrap();
    assert_eq!(place.post(id, &token, "Stop").unwrap(), STORED);
}

#[tokio::test]
async fn a_session_that_could_not_be_served_is_served_when_asked_again() {
    let place = Place::new("home");
    let ids = ["a".to_owned()];
    let mut client = place.daemon().await;
    let token = place.add("a");
    let run = place.home.session("a").run();
    std::fs::write(&run, "in the way").unwrap();
    assert!(matches!(client.watch(&ids).await, Err(Error::Refused(_))));
    std::fs::remove_file(&run).unwrap();
    client.watch(&ids).await.unwrap();
    assert_eq!(place.post("a", &token, "Stop").unwrap(), STORED);
}

#[tokio::test]
async fn a_socket_that_went_away_is_made_again_when_asked() {
    let place = Place::new("home");
    let ids = ["a".to_owned()];
    let token = place.add("a");
    let mut client = place.daemon().await;
    client.watch(&ids).await.unwrap();
    std::fs::remove_dir_all(place.home.session("a").run()).unwrap();
    client.watch(&ids).await.unwrap();
    assert_eq!(place.post("a", &token, "Stop").unwrap(), STORED);
}
