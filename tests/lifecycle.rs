//! The daemon's life as a process: started, killed, started again, raced for; and its sessions' sockets.

use crate::support::daemon::{PROGRAM, Place};
use clauderon::daemon::client::Client;
use clauderon::daemon::{Error, spawn};
use std::path::Path;
use std::time::{Duration, Instant};

async fn daemon(place: &Place) -> Client {
    spawn::ensure(&place.home, Path::new(PROGRAM)).await.unwrap()
}

const STORED: u16 = 204;

#[tokio::test]
async fn of_many_that_start_a_daemon_at_once_all_talk_to_one() {
    let place = Place::new("home");
    let starts = (0..6).map(|_| async { daemon(&place).await.status().await.unwrap().pid });
    let pids = futures_util::future::join_all(starts).await;
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[tokio::test]
async fn a_killed_daemon_is_replaced_and_loses_no_event() {
    let place = Place::new("home");
    place.add("a");
    let killed = daemon(&place).await.status().await.unwrap().pid;
    assert_eq!(place.report("a", "SessionStart").unwrap(), STORED);
    let pid = rustix::process::Pid::from_raw(i32::try_from(killed).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let gone = Instant::now() + Duration::from_secs(5);
    while Client::connect(&place.home).await.is_ok() && Instant::now() < gone {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(place.report("a", "Lost").is_err());
    let spooled = r#"{"session_id":"a","event":"UserPromptSubmit","data":null}"#;
    place.spool("a", "1.json", spooled);
    let status = daemon(&place).await.status().await.unwrap();
    assert!(status.pid != killed && status.sessions == 1);
    assert_eq!(place.report("a", "Stop").unwrap(), STORED);
    let kinds: Vec<String> = place.events("a").into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["SessionStart", "UserPromptSubmit", "Stop"]);
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
    assert_eq!(daemon(&place).await.status().await.unwrap().sessions, 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    ending.await.unwrap();
}

#[tokio::test]
async fn a_session_is_served_however_long_the_homes_path_is() {
    let place = Place::new(&"h".repeat(60));
    let id = "01936000-0000-7000-8000-000000000000";
    assert!(place.home.session(id).socket().as_os_str().len() > 108);
    place.add(id);
    daemon(&place).await.watch(&[id.to_owned()]).await.unwrap();
    assert_eq!(place.report(id, "Stop").unwrap(), STORED);
}

#[tokio::test]
async fn a_session_that_could_not_be_served_is_served_when_asked_again() {
    let place = Place::new("home");
    let ids = ["a".to_owned()];
    let mut client = daemon(&place).await;
    place.add("a");
    let run = place.home.session("a").run();
    std::fs::write(&run, "in the way").unwrap();
    assert!(matches!(client.watch(&ids).await, Err(Error::Refused(_))));
    std::fs::remove_file(&run).unwrap();
    client.watch(&ids).await.unwrap();
    assert_eq!(place.report("a", "Stop").unwrap(), STORED);
}

#[tokio::test]
async fn a_socket_that_went_away_is_made_again_when_asked() {
    let place = Place::new("home");
    let ids = ["a".to_owned()];
    place.add("a");
    let mut client = daemon(&place).await;
    client.watch(&ids).await.unwrap();
    std::fs::remove_dir_all(place.home.session("a").run()).unwrap();
    client.watch(&ids).await.unwrap();
    assert_eq!(place.report("a", "Stop").unwrap(), STORED);
}

/// Of many that start, one may come when all is over: it must not begin again.
#[tokio::test]
async fn a_daemon_that_comes_too_late_makes_no_home() {
    let place = Place::new("home");
    let gone = place.directory.path().join("gone");
    let mut late = std::process::Command::new(PROGRAM);
    let mut late = late.args(["daemon", "--detached"]).env("CLAUDERON_HOME", &gone).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while late.try_wait().unwrap().is_none() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = late.try_wait().unwrap();
    let _ = late.kill();
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    assert!(!gone.exists());
}

/// A lock that the caller holds would be held as long as the daemon lives.
#[tokio::test]
async fn a_daemon_holds_nothing_that_its_caller_has_open() {
    let place = Place::new("home");
    let held = place.directory.path().join("held");
    std::fs::write(&held, "").unwrap();
    let inherited = rustix::fs::open(&held, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    let pid = daemon(&place).await.status().await.unwrap().pid;
    let open: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .collect();
    drop(inherited);
    assert!(open.len() > 3 && !open.contains(&held), "{open:?}");
}
