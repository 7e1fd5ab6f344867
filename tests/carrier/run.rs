//! What `link run` makes of itself: the agent, and a carrier that is nobody's child.

use super::{Link, free_port};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

#[test]
fn the_process_and_its_signals_are_the_agents() {
    let link = Link::new();
    let bind = format!("proxy={}", free_port());
    let script = "echo $$; grep SigIgn /proc/self/status; exec sleep 60";
    let mut child = link
        .command(["run", "--bind", &bind, "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), child.id().to_string());
    let ignored = lines.next().unwrap().unwrap();
    let mask = u64::from_str_radix(ignored.split_whitespace().nth(1).unwrap(), 16).unwrap();
    assert_eq!(mask & (1 << 12), 0, "SIGPIPE is ignored: {ignored}");
    let id = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn the_carrier_is_nobodys_child_and_holds_nothing_of_the_agents() {
    let link = Link::new();
    let bind = format!("proxy={}", free_port());
    let mut child =
        link.command(["run", "--bind", &bind, "--", "sleep", "60"]).stdout(Stdio::piped()).spawn().unwrap();
    super::eventually("a carrier", || link.processes("carry").len() == 1);
    // `run` is `sleep` by now, or soon: the carrier's ancestors are known before.
    let supervisor = &link.processes("supervise")[0];
    let carrier = &link.processes("carry")[0];
    super::eventually("the agent", || {
        link.processes("detach").is_empty() && link.processes("run").is_empty()
    });
    assert_eq!(carrier.parent, supervisor.id.as_raw_nonzero().get());
    let supervisor = &link.processes("supervise")[0];
    let agent = i32::try_from(child.id()).unwrap();
    assert_ne!(supervisor.parent, agent, "the agent would have to wait for it");
    let own = rustix::process::getpgrp().as_raw_nonzero().get();
    for process in [carrier, supervisor] {
        assert_ne!(process.group, own, "Ctrl-C would reach it");
        let id = process.id.as_raw_nonzero();
        for stream in [0, 2] {
            let target = std::fs::read_link(format!("/proc/{id}/fd/{stream}")).unwrap();
            assert_eq!(target.to_str(), Some("/dev/null"), "stream {stream} of {}", process.verb);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The agent's output ends with the agent: the carrier does not hold it open.
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut rest).unwrap();
    assert!(!link.processes("carry").is_empty());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let link = Link::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = link.command(["run", "--bind", &format!("proxy={port}"), "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(111));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains(&port.to_string()) && words.contains("in use"), "{words}");
    super::eventually("the supervisor's end", || link.processes("supervise").is_empty());
}

#[test]
fn what_cannot_be_run_is_said() {
    let link = Link::new();
    let cases: [(&[&str], &str); 4] = [
        (&["run", "true"], "--"),
        (&["run", "--bind", "proxy", "--", "true"], "NAME=PORT"),
        (&["run", "--bind", "proxy=70000", "--", "true"], "70000"),
        (&["fly"], "usage"),
    ];
    for (arguments, word) in cases {
        let output = link.command(arguments.iter().copied()).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(111), "{arguments:?}: {words}");
        assert!(words.contains(word), "{arguments:?}: {words}");
    }
}
