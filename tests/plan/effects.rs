//! What a change of each field does: the table is complete, and plans go by it.

use super::{after_up, all, text};
use crate::support::project::{host, project, session};
use clauderon::manifest::effect::{DECLARED, Effect, PLACES, declared, of_field, path};
use clauderon::manifest::project::{
    Access, Budget, Checkout, Credential, Host, Mode, Permissions, Project, Repository, Restart, Rule,
    Session, Source, Target, Volume, VolumeSource,
};
use clauderon::manifest::schema::shape;
use clauderon::plan::action::{self, Step};
use clauderon::plan::observed::{ContainerState, Observed};
use clauderon::plan::up::{Options, up};
use clauderon::render::desired::desired;
use serde_json::Value;

/// Whether a key of the schema leads to a map with keys of its own, and to nothing else that could be changed.
fn leads_on(value: &Value) -> bool {
    let text = value.to_string();
    text.contains("#/$defs/")
}

#[test]
fn every_key_of_the_manifest_has_one_declared_effect() {
    let schema = shape();
    let mut keys: Vec<String> = ["name", "sessions"].map(String::from).into();
    for (definition, shape) in schema["$defs"].as_object().unwrap() {
        assert!(PLACES.iter().any(|(name, _)| name == definition), "where does `{definition}` stand?");
        for (key, value) in shape["properties"].as_object().into_iter().flatten() {
            let key = path(definition, key);
            if !leads_on(value) || key == "credentials.*.from" {
                keys.push(key);
            }
        }
    }
    assert!(keys.len() > 45, "{keys:?}");
    for key in &keys {
        assert!(declared(key).is_some(), "`{key}` has no effect: declare it in src/manifest/effect.rs");
    }
    for (number, (key, _)) in DECLARED.iter().enumerate() {
        assert!(keys.iter().any(|known| known == key), "`{key}` is no key of the manifest");
        assert!(DECLARED[..number].iter().all(|(other, _)| other != key), "`{key}` is declared twice");
    }
    for (key, value) in schema["$defs"]["Session"]["properties"].as_object().unwrap() {
        let said = value["description"].as_str().unwrap();
        assert!(said.contains("change "), "`{key}` does not say what a change does: {said}");
    }
}

fn full() -> Session {
    let mut full = session("a");
    full.prompt = Some("Do it\nwell".to_owned());
    full.agent.model = Some("opus".to_owned());
    full.environment.insert("RUST_LOG".to_owned(), "debug".to_owned());
    full.budget.tokens = Some(5);
    full.timeout.idle = Some(1800);
    full.labels.insert("team".to_owned(), "shop".to_owned());
    let source = VolumeSource::Named("data".to_owned());
    full.volumes.push(Volume { source, target: "/data".to_owned(), read_only: true });
    full.repository = Some(Repository {
        path: "/projects/shop".into(),
        base: None,
        branch: "clauderon/a".to_owned(),
        checkout: Checkout::Clone,
        copy: Vec::new(),
    });
    full.hosts.insert("api.example".to_owned(), Host { rules: vec![Rule::default()], ..Host::default() });
    full.credentials.insert("npm".to_owned(), Box::new(npm()));
    full
}

fn npm() -> Credential {
    Credential {
        from: Some(Source::Env("NPM_TOKEN".to_owned())),
        target: Some(Target {
            host: "registry.example".to_owned(),
            port: 443,
            header: "Authorization".to_owned(),
            value: "Bearer {}".to_owned(),
        }),
        environment: vec!["NPM_TOKEN".to_owned()],
        ..Credential::default()
    }
}

#[test]
fn each_field_is_kept_where_its_effect_needs_it() {
    let shop = project(vec![full()]);
    let desired = desired(&shop, &shop.sessions[0], &host(), ("agents:1", "sha256:1"));
    for field in desired.fields.keys() {
        assert_eq!(of_field(field), Some(Effect::Recreate), "{field} is on the container");
    }
    for field in desired.kept.keys() {
        let effect = of_field(field).unwrap_or_else(|| panic!("`{field}` has no effect"));
        assert_ne!(effect, Effect::Recreate, "{field} is not on the container");
    }
    assert!(desired.fields.len() + desired.kept.len() > 25);
}

type Change = fn(&mut Session);

#[tokio::test]
async fn each_change_is_told_with_its_effect() {
    let changes: [(Change, &str); 20] = [
        (|_| {}, ""),
        (|a| a.access = Access::ReadOnly, "live a: proxy.access: read-write → read-only [live]"),
        (
            |a| drop(a.hosts.insert("b.example".to_owned(), Host::default())),
            "live a: proxy.hosts.b.example added: false [live]",
        ),
        (|a| a.hosts.clear(), "live a: proxy.hosts.api.example removed: read-write [live]"),
        (
            |a| a.credentials.get_mut("npm").unwrap().rule.paths = Some(vec!["/@acme/**".to_owned()]),
            "live a: credentials.npm.paths added: /@acme/** [live]",
        ),
        (
            |a| a.credentials.get_mut("npm").unwrap().environment.push("NODE_AUTH".to_owned()),
            "recreate a: credentials.NODE_AUTH added: [redacted] [recreate]",
        ),
        (|a| a.agent.model = None, "restart a: agent.model: opus → (none) [restart]"),
        (|a| a.permissions = Permissions::Ask, "restart a: permissions: bypass → ask [restart]"),
        (
            |a| a.agent.args = vec!["--effort".to_owned(), "high".to_owned()],
            "restart a: agent.args: (none) → --effort high [restart]",
        ),
        (
            |a| drop(a.environment.insert("RUST_LOG".to_owned(), "trace".to_owned())),
            "recreate a: environment.RUST_LOG: (hidden) → (hidden) [recreate]",
        ),
        (|a| a.environment.clear(), "recreate a: environment.RUST_LOG removed: (hidden) [recreate]"),
        (|a| a.budget.tokens = Some(7), "live a: budget.tokens: 5 → 7 [live]"),
        (
            |a| a.budget = Budget::default(),
            "live a: budget.per removed: conversation [live], budget.tokens removed: 5 [live]",
        ),
        (|a| a.timeout.run = Some(7200), "live a: timeout.run added: 2h [live]"),
        (|a| a.timeout.idle = Some(60), "live a: timeout.idle: 30m → 1m [live]"),
        (|a| a.resources.pids = 2048, "recreate a: resources.pids: 1024 → 2048 [recreate]"),
        (|a| a.restart = Restart::No, "recreate a: restart: on-failure:3 → no [recreate]"),
        (
            |a| {
                a.agent.model = None;
                a.access = Access::ReadOnly;
            },
            "restart a: agent.model: opus → (none) [restart], proxy.access: read-write → read-only [live]",
        ),
        (
            |a| a.prompt = Some("Do more".to_owned()),
            "keep a: prompt: Do it… (10 bytes, 20b72b5fb4e3) → Do more [new conversation only]: \
             `clauderon up --renew a` begins one",
        ),
        (
            |a| a.repository.as_mut().unwrap().base = Some("v2".to_owned()),
            "keep a: repository.base: (none) → v2 [new checkout only]: \
             `clauderon down --checkouts a` and `up` make one",
        ),
    ];
    let observed = after_up(&project(vec![full()])).await;
    for (change, expected) in changes {
        let mut changed = full();
        change(&mut changed);
        let told = text(&project(vec![changed]), "sha256:1", &observed);
        assert_eq!(told.trim_end(), expected);
    }
}

#[tokio::test]
async fn a_plan_shows_no_secret() {
    let secret = "sk-ant-api03-0123456789abcdefABCDEF";
    let mut before = full();
    before.environment.insert("KEY".to_owned(), "hunter2".to_owned());
    let observed = after_up(&project(vec![before])).await;
    let mut after = full();
    after.environment.insert("KEY".to_owned(), "hunter3".to_owned());
    after.agent.args = vec!["--settings".to_owned(), format!("{{\"env\": {{\"K\": \"{secret}\"}}}}")];
    after.labels.insert("key".to_owned(), secret.to_owned());
    after.prompt = Some(format!("Log in with {secret} and go on"));
    after.credentials.get_mut("npm").unwrap().target.as_mut().unwrap().value =
        format!("Basic user:{secret}{{}}");
    let plan = up(&all(&project(vec![after]), "sha256:1"), &observed, Options::default()).unwrap();
    for shown in [plan.to_string(), serde_json::to_string(&plan).unwrap()] {
        for field in ["environment.KEY", "agent.args", "labels.key", "prompt", "credentials.npm.value"] {
            assert!(shown.contains(field), "{field} in {shown}");
        }
        assert!(!shown.contains("sk-ant") && !shown.contains("hunter"), "{shown}");
    }
}

#[tokio::test]
async fn a_batch_session_is_given_its_prompt_when_it_starts_again_and_not_before() {
    let mut batch = session("a");
    batch.mode = Mode::Batch;
    let mut observed = after_up(&project(vec![batch.clone()])).await;
    batch.prompt = Some("Do more".to_owned());
    let shop = project(vec![batch]);
    let keep =
        "keep a: prompt: Do it → Do more [new conversation only]: `clauderon up --renew a` begins one\n";
    for state in [ContainerState::Running, ContainerState::Exited(0)] {
        observed.containers[0].state = state;
        assert_eq!(text(&shop, "sha256:1", &observed), keep);
    }
    observed.containers[0].state = ContainerState::Exited(1);
    let told = "start a: exited with code 1, prompt: Do it → Do more [new conversation only]\n";
    assert_eq!(text(&shop, "sha256:1", &observed), told);
}

fn plan(project: &Project, observed: &Observed, options: Options) -> action::Plan {
    up(&all(project, "sha256:1"), observed, options).unwrap()
}

fn name() -> String {
    "clauderon-shop-a".to_owned()
}

#[tokio::test]
async fn what_disturbs_waits_for_idle_and_what_is_live_does_not() {
    let mut observed = after_up(&project(vec![session("a")])).await;
    observed.known.values_mut().for_each(|known| known.working = true);
    let changed = |change: Change| {
        let mut session = session("a");
        change(&mut session);
        project(vec![session])
    };
    let restart = changed(|a| a.agent.model = Some("opus".to_owned()));
    let told = plan(&restart, &observed, Options::default());
    let steps = [Step::AwaitIdle, Step::Stop(name()), Step::Checkout, Step::Prepare, Step::Start(name())];
    assert_eq!(told.sessions[0].steps, steps);
    let text = "restart a: agent.model: (none) → opus [restart]; waits until the agent is idle\n";
    assert_eq!(told.to_string(), text);
    let recreate = changed(|a| a.resources.pids = 9);
    let told = plan(&recreate, &observed, Options::default());
    assert!(told.sessions[0].waits && told.sessions[0].steps[0] == Step::AwaitIdle);
    for options in
        [Options { recreate: true, ..Options::default() }, Options { renew: true, ..Options::default() }]
    {
        let told = plan(&project(vec![session("a")]), &observed, options);
        assert!(told.sessions[0].waits, "asked for, and yet in the middle: {told}");
    }
    let told = plan(&recreate, &observed, Options { now: true, ..Options::default() });
    assert!(!told.sessions[0].waits && told.sessions[0].steps[0] == Step::Stop(name()), "{told:?}");
    let live = plan(&changed(|a| a.access = Access::ReadOnly), &observed, Options::default());
    assert_eq!(live.sessions[0].steps, [Step::Serve]);
    // An agent that is idle now may work by then: it is looked at again.
    observed.known.values_mut().for_each(|known| known.working = false);
    let told = plan(&recreate, &observed, Options::default());
    assert!(!told.sessions[0].waits && told.sessions[0].steps[0] == Step::AwaitIdle);
    // What has ended is waited for by nobody.
    observed.containers[0].state = ContainerState::Exited(1);
    let told = plan(&recreate, &observed, Options::default());
    assert_eq!(told.sessions[0].steps[0], Step::Remove(name()));
    let told = plan(&restart, &observed, Options::default());
    let text = "start a: exited with code 1, agent.model: (none) → opus [restart]\n";
    assert_eq!((told.to_string().as_str(), &told.sessions[0].steps[0]), (text, &Step::Checkout));
}

#[tokio::test]
async fn a_new_conversation_is_begun_when_asked_for_and_stays_the_newest() {
    let mut observed = after_up(&project(vec![session("a")])).await;
    let mut changed = session("a");
    changed.prompt = Some("Do more".to_owned());
    let shop = project(vec![changed]);
    let kept = plan(&shop, &observed, Options::default());
    assert!(kept.is_empty() && kept.deferred.len() == 1, "{kept}");
    let renewed = plan(&shop, &observed, Options { renew: true, ..Options::default() });
    assert_eq!(
        renewed.to_string(),
        "recreate a: a new conversation was asked for, prompt: Do it → Do more [new conversation only]\n"
    );
    assert_eq!(renewed.sessions[0].conversation, 2);
    // Whichever remembers: the container, or what is kept of the session when it is gone.
    let again = Options { recreate: true, ..Options::default() };
    observed.containers[0].labels.insert("clauderon.conversation".to_owned(), "2".to_owned());
    assert_eq!(plan(&shop, &observed, again).sessions[0].conversation, 2);
    observed.containers.clear();
    observed.known.values_mut().for_each(|known| known.conversation = 3);
    assert_eq!(plan(&shop, &observed, Options::default()).sessions[0].conversation, 3);
    observed.known.clear();
    assert_eq!(plan(&shop, &observed, Options::default()).sessions[0].conversation, 1);
}
