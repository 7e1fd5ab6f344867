//! Credentials that never enter a container: real agents, real containers; the model's answers alone are scripted.

use crate::support::world::{World, docker, eventually, files_with, inspect};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const CANARY: &str = "sk-ant-oat01-Canary-of-the-host-7f3a";
const LONG: Duration = Duration::from_secs(60);

/// Searches a container from inside, with a text from standard input, which no command line of its own holds.
const SEARCH: &str = r#"
c=$(cat)
words() { printf '%s\n' "$c"; }
{ env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; } | tr '\0' '\n' | grep -F -f <(words)
grep -rlsF -D skip -f <(words) /workspace /etc /run /tmp /home /root /var /opt /usr/local/etc
echo searched
"#;

fn hello() -> World {
    World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}))
}

fn authorizations(world: &World) -> Vec<String> {
    let requests =
        world.requests().into_iter().filter(|it| it["path"].as_str().unwrap().contains("/v1/messages"));
    requests.map(|it| it["authorization"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Nothing that the container, its inspection or our state shows holds a text.
#[track_caller]
fn is_nowhere(world: &World, session: &str, canary: &str) {
    let container = world.container(session);
    let inspected = inspect(&container).to_string();
    assert!(!inspected.contains(canary), "the inspection holds it");
    let found = world.run_with(&["exec", session, "--", "bash", "-c", SEARCH], canary.as_bytes()).ok();
    assert_eq!(found, "searched\n");
    assert_eq!(files_with(&world.home(), canary), Vec::<std::path::PathBuf>::new());
    let status: Value = serde_json::from_str(&world.run(&["daemon", "status"]).ok()).unwrap();
    let environment = std::fs::read(format!("/proc/{}/environ", status["pid"])).unwrap();
    assert!(
        !String::from_utf8_lossy(&environment).contains(canary),
        "the daemon was given it by its environment"
    );
    let events = world.run(&["events", "--format", "json"]).ok();
    assert!(!events.contains(canary), "the events hold it");
    let logs = docker(&["logs", &container]);
    assert!(!logs.contains(canary), "the container's log holds it");
    let audit = std::fs::read_to_string(world.home().join("audit.jsonl")).unwrap();
    assert!(!audit.contains(canary) && audit.contains("\"decision\":\"inject\""), "{audit}");
}

#[test]
fn a_value_of_the_environment_reaches_the_model_and_nothing_else() {
    let world = hello();
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run_as("CLAUDE_CODE_OAUTH_TOKEN", CANARY, &["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let sent = authorizations(&world);
    assert!(!sent.is_empty() && sent.iter().all(|it| *it == format!("Bearer {CANARY}")), "{sent:?}");
    is_nowhere(&world, "a", CANARY);
    let inside = world.run(&["exec", "a", "--", "printenv", "CLAUDE_CODE_OAUTH_TOKEN"]).ok();
    assert_eq!(inside, "sk-ant-oat01-clauderon-proxy-placeholder\n");

    // Another host, and the agent's own search for a way.
    let curl = |args: &[&str]| {
        let all = [&["exec", "a", "--", "curl", "-sS", "-m", "20", "-w", "\n%{http_code}"], args].concat();
        world.run(&all).stdout
    };
    let bearer = "Authorization: Bearer sk-ant-oat01-clauderon-proxy-placeholder";
    let got = curl(&["-H", bearer, "https://api.openai.com/v1/models"]);
    assert!(got.ends_with("403") && got.contains("credentials.anthropic"), "{got}");
    let got = curl(&["-H", bearer, "-H", "Accept: application/json", "https://api.openai.com/v1/models"]);
    let told: Value = serde_json::from_str(got.rsplit_once('\n').unwrap().0).unwrap();
    assert_eq!(told["error"]["rule"], "credentials.anthropic");
    let got = curl(&["-X", "POST", "-d", "{}", "http://platform.claude.com/v1/oauth/token"]);
    assert!(got.ends_with("200") && got.contains("clauderon-proxy-placeholder"), "{got}");
    let got = curl(&["-X", "POST", "https://api.anthropic.com/api/oauth/claude_cli/create_api_key"]);
    assert!(got.ends_with("403"), "{got}");
    let got = curl(&["-X", "TRACE", "-H", bearer, "https://api.anthropic.com/"]);
    assert!(got.ends_with("405"), "{got}");
    is_nowhere(&world, "a", CANARY);
}

#[test]
fn after_the_daemon_has_begun_anew_a_value_of_the_environment_is_waited_for() {
    let world = hello();
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run_as("CLAUDE_CODE_OAUTH_TOKEN", CANARY, &["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    world.run(&["daemon", "stop"]).ok();
    world.run(&["ps"]).ok();
    let ask = || {
        let url = "https://api.anthropic.com/v1/models";
        world.run(&["exec", "a", "--", "curl", "-sS", "-m", "20", "-w", "%{http_code}", url]).stdout
    };
    eventually("the session is served again", LONG, || ask().contains("CLAUDE_CODE_OAUTH_TOKEN"));
    let got = ask();
    assert!(got.ends_with("403") && got.contains("`clauderon up` hands it over"), "{got}");
    eventually("it shows as waiting", LONG, || world.ps()[0]["waiting_for"] == "credential");
    // A terminal without the variable changes nothing; one that has it mends it, and no container is made anew.
    let before = inspect(&world.container("a"))["Id"].clone();
    world.run(&["up", "-d"]).ok();
    assert!(ask().ends_with("403"));
    world.run_as("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-Another-7f3a", &["up", "-d"]).ok();
    assert!(ask().ends_with("404"), "the scripted model has no such path: {}", ask());
    assert_eq!(inspect(&world.container("a"))["Id"], before);
    eventually("it waits no longer", LONG, || world.ps()[0]["waiting_for"] != "credential");
    let last = world.requests().pop().unwrap();
    assert_eq!(last["authorization"], "Bearer sk-ant-oat01-Another-7f3a");
}

#[test]
fn a_login_has_a_placeholder_of_its_own_and_an_api_key_too() {
    let world = hello();
    let ends = 4_102_444_800_000_u64;
    let login = json!({"claudeAiOauth": {"accessToken": CANARY, "refreshToken": "sk-ant-ort01-Canary", "expiresAt": ends,
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max"}});
    std::fs::create_dir_all(world.path("user/.claude")).unwrap();
    std::fs::write(world.path("user/.claude/.credentials.json"), login.to_string()).unwrap();
    world.manifest("mode: batch\nprompt: Say hello\nsessions: {a: , b: {credentials: {anthropic: {from: env:WORK_KEY}}}}\n");
    world.run_as("WORK_KEY", "sk-ant-api03-Canary-of-work", &["up", "--wait", "--yes"]).ok();
    for session in ["a", "b"] {
        world.run(&["wait", session, "--for", "exited", "--timeout", "60s"]).ok();
    }
    let asked: Vec<Value> = world
        .requests()
        .into_iter()
        .filter(|it| it["path"].as_str().unwrap().contains("/v1/messages"))
        .collect();
    let by = |it: &Value| (it["authorization"].clone(), it["api_key"].clone());
    let bearer = format!("Bearer {CANARY}");
    assert!(asked.iter().any(|it| by(it).0 == bearer.as_str()), "{asked:?}");
    assert!(asked.iter().any(|it| by(it).1 == "sk-ant-api03-Canary-of-work"), "{asked:?}");
    let environment = |session: &str| inspect(&world.container(session))["Config"]["Env"].to_string();
    assert!(
        !environment("a").contains("CLAUDE_CODE_OAUTH_TOKEN"),
        "it would turn the subscription's features off"
    );
    assert!(environment("b").contains("ANTHROPIC_API_KEY=sk-ant-api03-clauderon-proxy-placeholder"));
    let file = std::fs::read_to_string(world.checkout("a").join(".claude/.credentials.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["claudeAiOauth"]["subscriptionType"], "max");
    assert_eq!(file["claudeAiOauth"]["refreshToken"], "sk-ant-oat01-clauderon-proxy-placeholder");
    for canary in [CANARY, "sk-ant-ort01-Canary", "sk-ant-api03-Canary-of-work"] {
        assert_eq!(files_with(&world.home(), canary), Vec::<std::path::PathBuf>::new());
    }
    assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
}

/// A world without an engine's need: what is asked is answered before one is looked for.
fn quiet(manifest: &str) -> World {
    let world = World::new();
    world.manifest(manifest);
    world
}

#[test]
fn config_and_doctor_say_where_each_credential_comes_from_and_never_what_it_is() {
    let world = quiet(
        "credentials:\n  github: read-only\n  npm: {from: env:NPM_TOKEN, host: registry.acme.dev}\n  \
         file: {from: \"file:token.json#/a/b\", host: files.acme.dev}\n  vault: {from: \"op://a/b/c\", host: op.acme.dev}\n\
         sessions: {a: }\n",
    );
    world.write("token.json", &json!({"a": {"b": CANARY}}).to_string());
    std::fs::create_dir_all(world.path("config/gh")).unwrap();
    std::fs::write(
        world.path("config/gh/hosts.yml"),
        format!("github.com:\n  user: me\n  oauth_token: {CANARY}\n"),
    )
    .unwrap();
    for args in [&["config", "--format", "json"][..], &["doctor", "--format", "json"]] {
        let answer = world.run_as("CLAUDE_CODE_OAUTH_TOKEN", CANARY, args);
        assert_eq!(answer.code, i32::from(args[0] == "doctor"), "`npm` is named and missing: {answer:?}");
        assert!(!format!("{answer:?}").contains(CANARY), "{answer:?}");
        let value: Value = serde_json::from_str(&answer.stdout).unwrap();
        let told =
            if args[0] == "config" { &value["x-credentials"]["a"] } else { &value["credentials"]["a"] };
        assert_eq!(
            (&told["anthropic"]["source"], &told["anthropic"]["found"]),
            (&"env:CLAUDE_CODE_OAUTH_TOKEN".into(), &true.into())
        );
        assert!(
            told["github"]["source"].as_str().unwrap().ends_with("gh/hosts.yml#/github.com/oauth_token"),
            "{told}"
        );
        assert_eq!(
            (&told["npm"]["found"], &told["npm"]["reason"]),
            (&false.into(), &"the variable `NPM_TOKEN` is not set".into())
        );
        assert_eq!(told["file"]["found"], true);
        assert_eq!((&told["vault"]["source"], &told["vault"]["found"]), (&"op://a/b/c".into(), &Value::Null));
    }
    let table = world.run_as("NPM_TOKEN", CANARY, &["doctor"]);
    assert!(table.code == 0 && table.stdout.contains("npm") && !table.stdout.contains(CANARY), "{table:?}");
    let text = world.run(&["config"]).ok();
    assert!(!text.contains(CANARY) && text.contains("x-credentials:"), "{text}");
    world.write("again.yaml", &text);
    assert_eq!(world.run(&["-f", "again.yaml", "config"]).ok(), text, "it reads back to the same");
}

#[test]
fn what_a_manifest_lends_beyond_the_agents_own_is_agreed_to_first() {
    let manifest = "credentials:\n  github: read-only\n  key: {from: \"file:key\", host: evil.example}\nsessions: {a: }\n";
    let world = quiet(manifest);
    std::fs::write(world.path("private"), CANARY).unwrap();
    std::os::unix::fs::symlink(world.path("private"), world.root().join("key")).unwrap();
    let said = world.run(&["up"]).fails(3);
    assert!(
        said.contains("the credential `github` (your own)") && said.contains("`api.github.com:443`"),
        "{said}"
    );
    let private = format!("`file:{}`", world.path("private").canonicalize().unwrap().display());
    assert!(
        said.contains(&private) && said.contains("`evil.example:443`"),
        "where a link leads is said: {said}"
    );
    assert!(!said.contains(CANARY) && !said.contains("anthropic"), "{said}");
    // A host that the agent's own is sent to, dialled elsewhere.
    world.manifest(
        "proxy: {hosts: {api.anthropic.com: {address: \"10.0.0.1:443\", ca: evil.pem}}}\nsessions: {a: }\n",
    );
    let said = world.run(&["up"]).fails(3);
    assert!(
        said.contains("`api.anthropic.com` is sent the credential `anthropic` at `10.0.0.1:443`"),
        "{said}"
    );
    // By a pattern that holds it: the authority of the manifest's would be believed there.
    world.manifest("proxy: {hosts: {\"*.anthropic.com\": {ca: evil.pem}}}\nsessions: {a: }\n");
    let said = world.run(&["up"]).fails(3);
    assert!(
        said.contains("`api.anthropic.com` is sent the credential `anthropic` at its own address"),
        "{said}"
    );
    // Of a project that names another file of the user's in the place of the agent's own.
    world.manifest("credentials: {anthropic: {from: \"file:~/.ssh/id\"}}\nsessions: {a: }\n");
    let said = world.run(&["up"]).fails(3);
    assert!(said.contains(".ssh/id") && said.contains("`anthropic`"), "{said}");
}

#[test]
fn a_file_of_the_project_that_becomes_a_link_after_the_yes_is_not_followed() {
    let world = hello();
    world.manifest(
        "credentials: {anthropic: {from: \"file:secrets/key\", environment: ANTHROPIC_API_KEY}}\n\
         sessions: {a: {prompt: Say hello}}\n",
    );
    world.write("secrets/key", "sk-ant-api03-agreed-to");
    std::fs::create_dir(world.path("private")).unwrap();
    std::fs::write(world.path("private/key"), CANARY).unwrap();
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let keys = || {
        let all =
            world.requests().into_iter().map(|it| it["api_key"].as_str().unwrap_or_default().to_owned());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(keys().contains("sk-ant-api03-agreed-to"), "{:?}", keys());
    let ask = || {
        let url = "https://api.anthropic.com/v1/models";
        world.run(&["exec", "a", "--", "curl", "-sS", "-m", "20", "-w", "%{http_code}", url]).stdout
    };
    let directory = world.root().join("secrets");
    std::fs::remove_file(directory.join("key")).unwrap();
    std::os::unix::fs::symlink(world.path("private/key"), directory.join("key")).unwrap();
    let got = ask();
    assert!(got.ends_with("403") && got.contains("is a link now"), "{got}");
    std::fs::remove_dir_all(&directory).unwrap();
    std::os::unix::fs::symlink(world.path("private"), &directory).unwrap();
    assert!(ask().ends_with("403"));
    // A daemon that begins anew, and one that another `up` looks at, know no more.
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("private/key"), "asked about where it leads: {said}");
    world.run(&["daemon", "stop"]).ok();
    world.run(&["ps"]).ok();
    eventually("the session is served again", LONG, || ask().contains("is a link now"));
    assert!(keys().iter().all(|key| !key.contains("Canary")), "{:?}", keys());
    is_unsent(&world);
}

/// No request that reached the model held the canary in either of its headers.
#[track_caller]
fn is_unsent(world: &World) {
    for request in world.requests() {
        assert!(!request.to_string().contains(CANARY), "{request}");
    }
}

#[test]
fn a_login_that_a_dotfiles_manager_links_is_lent_and_followed_to_its_next_place() {
    let world = hello();
    let login = |token: &str| {
        json!({"claudeAiOauth": {"accessToken": token, "expiresAt": 4_102_444_800_000_u64,
            "scopes": ["user:inference"]}})
        .to_string()
    };
    let link = world.path("user/.claude/.credentials.json");
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    for (generation, token) in [("one", CANARY), ("two", "sk-ant-oat01-of-the-next")] {
        std::fs::write(world.path(generation), login(token)).unwrap();
    }
    std::os::unix::fs::symlink(world.path("one"), &link).unwrap();
    world.manifest("sessions: {a: {prompt: Say hello}}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let sent = authorizations(&world);
    assert!(!sent.is_empty() && sent.iter().all(|it| *it == format!("Bearer {CANARY}")), "{sent:?}");
    std::os::unix::fs::symlink(world.path("two"), link.with_extension("new")).unwrap();
    std::fs::rename(link.with_extension("new"), &link).unwrap();
    world.run(&["exec", "a", "--", "curl", "-sS", "-m", "20", "https://api.anthropic.com/v1/models"]).ok();
    assert_eq!(world.requests().pop().unwrap()["authorization"], "Bearer sk-ant-oat01-of-the-next");
}

#[test]
fn a_certificate_that_a_credentials_host_is_believed_by_is_agreed_to_by_its_content() {
    let world = quiet("sessions: {a: }\n");
    let certificate = |letter: &str| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", letter.repeat(64))
    };
    world.write("own.pem", &certificate("A"));
    world.manifest("proxy: {hosts: {api.anthropic.com: {ca: own.pem}}}\nsessions: {a: }\n");
    let first = world.run(&["up"]).fails(3);
    let hash = |said: &str| {
        let at = said.find("(sha256 ").unwrap_or_else(|| panic!("no hash: {said}"));
        said[at + 8..].split(')').next().unwrap().to_owned()
    };
    assert!(first.contains("own.pem` (sha256 ") && hash(&first).len() == 16, "{first}");
    // Agreed to: without an engine nothing more happens.
    let nowhere = |args: &[&str]| {
        let output = world.command(args).env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(nowhere(&["up", "--yes"]).0, Some(1));
    assert_eq!(nowhere(&["up"]).0, Some(1), "it is asked once");
    world.write("own.pem", &certificate("B"));
    let (code, second) = nowhere(&["up"]);
    assert_eq!(code, Some(3), "{second}");
    assert_ne!(hash(&first), hash(&second));
}

#[test]
fn a_command_is_taken_from_the_users_own_file_alone() {
    let manifest = "credentials: {acme: {from: {command: [touch, ran]}, host: acme.dev}}\nsessions: {a: }\n";
    let world = quiet(manifest);
    let said = world.run(&["validate"]).fails(2);
    assert!(said.contains("clauderon.yaml:4:") && said.contains("names no command"), "{said}");
    std::fs::create_dir_all(world.path("config/clauderon")).unwrap();
    std::fs::write(world.path("config/clauderon/clauderon.yaml"), manifest.lines().next().unwrap()).unwrap();
    world.manifest("sessions: {a: }\n");
    let told = world.run(&["config"]).ok();
    assert!(told.contains("the command `touch`"), "{told}");
    // The same command, sent elsewhere.
    world.manifest("credentials: {acme: {from: {command: [touch, ran]}, host: evil.dev}}\nsessions: {a: }\n");
    assert!(world.run(&["validate"]).fails(2).contains("names no command"));
    assert!(!world.root().join("ran").exists(), "nothing is run to look");
}

#[test]
fn a_reference_is_read_by_the_password_managers_own_program() {
    let world = hello();
    let manifest = "credentials: {anthropic: {from: \"op://Work/claude key/credential\", environment: CLAUDE_CODE_OAUTH_TOKEN}}\nmode: batch\nsessions: {a: {prompt: Say hello}}\n";
    world.manifest(manifest);
    std::fs::create_dir_all(world.path("bin")).unwrap();
    // As 1Password's: the value for exactly this question, and else words for a person on the other stream.
    let program = format!(
        "#!/bin/sh\necho asked >>{}\n[ \"$*\" = 'read --no-newline -- op://Work/claude key/credential' ] || exit 1\n\
         echo '[INFO] do not read this' >&2\nprintf %s {CANARY}\n",
        world.path("asked").display()
    );
    std::fs::write(world.path("bin/op"), program).unwrap();
    std::fs::set_permissions(world.path("bin/op"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap());
    let refused = world.run_as("PATH", &path, &["up"]).fails(3);
    assert!(refused.contains("op://Work/claude key/credential"), "asked first: {refused}");
    assert!(!world.path("asked").exists(), "nothing is run before it is agreed to");
    world.run_as("PATH", &path, &["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "exited", "--timeout", "60s"]).ok();
    let sent = authorizations(&world);
    assert!(!sent.is_empty() && sent.iter().all(|it| *it == format!("Bearer {CANARY}")), "{sent:?}");
    let asked = std::fs::read_to_string(world.path("asked")).unwrap();
    assert_eq!(asked, "asked\n", "it is asked once, however many requests there are");
    assert_eq!(files_with(&world.home(), CANARY), Vec::<std::path::PathBuf>::new());
}

#[test]
fn codex_goes_by_its_login_and_else_by_a_key() {
    let world = hello();
    world.manifest("agent: codex\nmode: batch\nprompt: Say hello\nsessions: {k: }\n");
    let key = "sk-proj-Canary-of-the-host";
    world.run_as("OPENAI_API_KEY", key, &["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "k", "--for", "exited", "--timeout", "60s"]).ok();
    let sent = |path: &str| {
        let of = world.requests().into_iter().filter(|it| it["path"].as_str().unwrap() == path);
        of.map(|it| it["authorization"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let got = sent("/v1/responses");
    assert!(!got.is_empty() && got.iter().all(|it| *it == format!("Bearer {key}")), "{got:?}");

    // {"exp":4102444800}
    let access = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.Canary-of-the-login";
    let login = json!({"auth_mode": "chatgpt", "OPENAI_API_KEY": null, "last_refresh": "2026-01-01T00:00:00Z", "tokens": {
        "id_token": "e30.e30.Canary-id", "access_token": access, "refresh_token": "Canary-refresh", "account_id": "acct-1"}});
    std::fs::create_dir_all(world.path("user/.codex")).unwrap();
    std::fs::write(world.path("user/.codex/auth.json"), login.to_string()).unwrap();
    world.manifest("agent: codex\nmode: batch\nprompt: Say hello\nsessions: {k: , l: }\n");
    world.run(&["up", "--wait", "--yes", "l"]).ok();
    world.run(&["wait", "l", "--for", "exited", "--timeout", "60s"]).ok();
    for asked in ["/backend-api/wham/accounts/check", "/backend-api/codex/responses"] {
        let got = sent(asked);
        assert!(
            !got.is_empty() && got.iter().all(|it| *it == format!("Bearer {access}")),
            "{asked}: {got:?}"
        );
    }
    let said = world.run(&["logs", "l"]).ok();
    assert!(said.contains("All well."), "a whole turn by the login: {said}");
    for canary in [key, "Canary-of-the-login", "Canary-id", "Canary-refresh"] {
        assert_eq!(files_with(&world.home(), canary), Vec::<std::path::PathBuf>::new());
        assert!(!inspect(&world.container("l")).to_string().contains(canary));
    }
}
