//! What a container is made from, rendered from sessions made in code: the guide's tables, and the scripts run for
//! real by bash with a stand-in for the agent.

use crate::support::project::{host, project, session};
use clauderon::manifest::project::{AgentKind, Checkout, Egress, Mode, Session};
use clauderon::render::desired::{container, desired};
use clauderon::render::facts::{CheckoutFacts, GitIdentity, SessionFacts};
use clauderon::render::spec::{ContainerSpec, MountSource};
use clauderon::render::{files, script};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::process::Command;

fn facts() -> SessionFacts {
    SessionFacts {
        identity: GitIdentity { name: Some("Ada".to_owned()), email: Some("ada@example.org".to_owned()) },
        image: Default::default(),
        probe: Default::default(),
        checkout: CheckoutFacts {
            kind: Checkout::Clone,
            shown: Vec::new(),
            fresh: false,
            directory: "/checkout".into(),
            borrowed: vec!["/projects/shop/.git/objects".into()],
            pinned: vec!["/checkout/.git".into()],
            read_only: vec!["/checkout/.git/config".into()],
        },
        conversation: 1,
        token: "token".to_owned(),
        authorities: vec!["AUTHORITY".to_owned()],
    }
}

fn spec(session: Session) -> ContainerSpec {
    let shop = project(vec![session]);
    let desired = desired(&shop, &shop.sessions[0], &host(), ("agents:1", "sha256:1"));
    container(&shop, &desired, &host(), &facts())
}

#[test]
fn the_environment_is_the_guides() {
    let variables = spec(session("a")).environment;
    for (name, value) in [
        ("HOME", "/workspace"),
        ("TERM", "xterm-256color"),
        ("CARGO_HOME", "/workspace/.cargo"),
        ("SCCACHE_DIR", "/workspace/.cache/sccache"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_COMMITTER_EMAIL", "ada@example.org"),
        ("HTTP_PROXY", "http://host.docker.internal:47100"),
        ("HTTPS_PROXY", "http://host.docker.internal:47100"),
        ("NO_PROXY", "localhost,127.0.0.1,host.docker.internal"),
        ("SSL_CERT_FILE", "/etc/clauderon/proxy-ca.pem"),
        ("NODE_EXTRA_CA_CERTS", "/etc/clauderon/proxy-ca.pem"),
        ("REQUESTS_CA_BUNDLE", "/etc/clauderon/proxy-ca.pem"),
        ("GH_TOKEN", "clauderon-proxy"),
        ("GITHUB_TOKEN", "clauderon-proxy"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-clauderon-proxy-placeholder"),
        ("CLAUDERON_HTTP_PORT", "47101"),
    ] {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
    for absent in ["LANG", "RUSTC_WRAPPER", "IS_SANDBOX", "CODEX_HOME", "OPENAI_API_KEY"] {
        assert_eq!(variables.get(absent), None, "{absent}");
    }
}

#[test]
fn codex_has_its_home_and_its_placeholders() {
    let mut codex = session("a");
    codex.agent.kind = AgentKind::Codex;
    let variables = spec(codex).environment;
    assert_eq!(variables["CODEX_HOME"], "/workspace/.codex");
    assert_eq!(variables["OPENAI_API_KEY"], "sk-openai-clauderon-proxy-placeholder");
    assert_eq!(variables["CODEX_API_KEY"], "sk-openai-clauderon-proxy-placeholder");
    assert!(!variables.contains_key("CLAUDE_CODE_OAUTH_TOKEN"));
}

#[test]
fn a_manifest_adds_to_the_environment_but_cannot_bend_what_the_session_stands_on() {
    let mut bent = session("a");
    bent.environment = BTreeMap::from(
        [
            ("RUST_LOG", "info"),
            ("HOME", "/root"),
            ("CLAUDERON_SESSION_ID", "other"),
            ("GIT_AUTHOR_NAME", "Bob"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let variables = spec(bent).environment;
    assert_eq!(variables["RUST_LOG"], "info");
    assert_eq!(variables["GIT_AUTHOR_NAME"], "Bob");
    assert_eq!(variables["HOME"], "/workspace");
    assert_ne!(variables["CLAUDERON_SESSION_ID"], "other");
}

#[test]
fn a_sealed_session_has_no_network_and_an_open_one_the_guides() {
    let sealed = spec(session("a"));
    assert!(sealed.sealed);
    assert_eq!(sealed.extra_hosts, ["host.docker.internal:127.0.0.1"]);
    let mut open = session("a");
    open.egress = Egress::Open;
    let open = spec(open);
    assert!(!open.sealed);
    assert_eq!(open.extra_hosts, ["host.docker.internal:host-gateway"]);
    assert!(!open.environment.contains_key("GH_TOKEN"), "placeholders are for the proxy");
}

#[test]
fn what_points_git_elsewhere_is_read_only_and_the_git_directory_cannot_be_moved() {
    let spec = spec(session("a"));
    let at = |target: &str| {
        spec.mounts.iter().find(|mount| mount.target == target).unwrap_or_else(|| panic!("{target}"))
    };
    assert!(at("/workspace/.git/config").read_only);
    assert!(at("/projects/shop/.git/objects").read_only);
    assert!(at("/workspace/.clauderon/hooks").read_only);
    assert!(at("/run/clauderon").read_only);
    assert!(at("/etc/claude-code").read_only);
    assert!(!at("/workspace/.git").read_only);
    assert!(matches!(&at("/workspace").source, MountSource::Bind(path) if path.ends_with("checkout")));
}

/// Runs the entry script with a stand-in for the agent that prints its arguments, each ended by a NUL.
fn entry(session: &Session, resumable: bool) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let agent = clauderon::agent::program(session.agent.kind);
    let program = "#!/bin/bash\nprintf '%s\\0' \"$@\"; if [ ! -t 0 ] && [ \"${STDIN:-}\" ]; then cat; fi\n";
    clauderon::fs::replace(&root.join(agent), program.as_bytes(), 0o755).unwrap();
    let conversation = "6f0a";
    if resumable {
        let projects = root.join("workspace/.claude/projects/-workspace");
        std::fs::create_dir_all(&projects).unwrap();
        std::fs::write(projects.join(format!("{conversation}.jsonl")), "{\"type\":\"user\"}\n").unwrap();
    }
    std::fs::write(root.join("prompt"), session.prompt.clone().unwrap_or_default()).unwrap();
    let text = script::entry(session).unwrap();
    let text = text.replace("/run/clauderon/prompt", root.join("prompt").to_str().unwrap());
    let text = text.replace("/workspace/", root.join("workspace/").to_str().unwrap());
    let script = root.join("entry.sh");
    clauderon::fs::replace(&script, text.as_bytes(), 0o755).unwrap();
    let path = format!("{}:{}", root.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.arg(&script).env("PATH", path).env("CLAUDERON_CONVERSATION_ID", conversation);
    if session.prompt.as_ref().is_some_and(|prompt| prompt.len() > script::LONGEST_ARGUMENT) {
        command.env("STDIN", "1");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn words(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8(output.to_vec()).unwrap();
    text.split_terminator('\0').map(String::from).collect()
}

#[test]
fn a_new_conversation_and_one_gone_on_with_have_the_observed_words() {
    let mut claude = session("a");
    claude.agent.model = Some("opus".to_owned());
    claude.agent.args = vec!["--effort".to_owned(), "it's high".to_owned()];
    assert_eq!(
        words(&entry(&claude, false)),
        [
            "--session-id",
            "6f0a",
            "--dangerously-skip-permissions",
            "--model",
            "opus",
            "--effort",
            "it's high",
            "--",
            "Do it"
        ]
    );
    assert_eq!(
        words(&entry(&claude, true)),
        ["--resume", "6f0a", "--dangerously-skip-permissions", "--model", "opus", "--effort", "it's high"]
    );
    claude.mode = Mode::Batch;
    assert_eq!(words(&entry(&claude, true)).last().unwrap(), "Do it");
    assert!(words(&entry(&claude, false)).contains(&"--print".to_owned()));
}

#[test]
fn a_transcript_without_a_turn_is_no_conversation() {
    let text = script::entry(&session("a")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let transcript = directory.path().join("t.jsonl");
    for (content, expected) in [
        ("", "no"),
        ("{\"type\":\"mode\"}\n", "no"),
        ("{\"type\":\"mode\"}\n{\"type\":\"user\",\"message\":1}\n", "yes"),
    ] {
        std::fs::write(&transcript, content).unwrap();
        let holds: String = text
            .lines()
            .skip_while(|line| !line.starts_with("holds()"))
            .take_while(|line| *line != "}")
            .map(|line| format!("{line}\n"))
            .collect();
        let check = format!(
            "{holds}}}\nif holds '\"type\":\"user\"' '{}'; then echo yes; else echo no; fi",
            transcript.display()
        );
        let output = Command::new("bash").args(["-c", &check]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{content}");
    }
}

#[test]
fn a_prompt_too_long_for_an_argument_comes_by_standard_input() {
    let mut long = session("a");
    long.mode = Mode::Batch;
    long.prompt = Some(format!("{}\n", "x'$(id)\n".repeat(40_000)));
    let output = entry(&long, false);
    let text = String::from_utf8(output).unwrap();
    assert!(text.ends_with(long.prompt.as_ref().unwrap()));
    assert!(!text.contains("--\0"));
}

#[test]
fn managed_settings_keep_the_images_own() {
    let own = r#"{"env":{"A":"1"},"hooks":{"Stop":[{"matcher":"x"}]}}"#;
    let settings = clauderon::agent::claude::managed_settings(Some(own));
    assert_eq!(settings["env"]["A"], "1");
    assert_eq!(settings["hooks"]["Stop"].as_array().unwrap().len(), 2);
    assert_eq!(settings["hooks"]["SessionStart"].as_array().unwrap().len(), 1);
    let broken = clauderon::agent::claude::managed_settings(Some("not json"));
    assert_eq!(broken["hooks"]["Stop"].as_array().unwrap().len(), 1);
}

#[test]
fn the_bundle_holds_the_systems_roots_and_the_manifests_authorities() {
    let files = files::files("id", &session("a"), &host(), &facts()).unwrap();
    let bundle = files.iter().find(|file| file.path.ends_with("proxy-ca.pem")).unwrap();
    assert_eq!(String::from_utf8_lossy(&bundle.content), "ROOTS\nAUTHORITY\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_prompt_arrives_byte_for_byte(prompt in "[^\0]{1,300}|[-$`'\"\\\\\n ()!*]{1,40}") {
        let mut with = session("a");
        with.prompt = Some(prompt.clone());
        prop_assert_eq!(words(&entry(&with, false)).last().cloned(), Some(prompt));
    }
}

#[test]
fn every_example_is_valid_and_renders() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let manifest = entry.unwrap().path().join("clauderon.yaml");
        if !manifest.exists() {
            continue;
        }
        seen += 1;
        let project = clauderon::manifest::source::load(&manifest).unwrap_or_else(|error| panic!("{error}"));
        for one in &project.sessions {
            let desired = desired(&project, one, &host(), ("agents:1", "sha256:1"));
            let spec = container(&project, &desired, &host(), &facts());
            assert!(spec.name.starts_with("clauderon-") && !spec.mounts.is_empty());
            files::files(&desired.id, one, &host(), &facts()).unwrap();
        }
    }
    assert!(seen >= 1);
}
