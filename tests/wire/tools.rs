//! The tools that agents use: git, npm, pip and cargo, before one server that has what each of them wants.

use super::{LONG, Setting, Wire, server};
use tokio::time::timeout;

async fn registry() -> (Wire, tokio::process::Child) {
    let setting = Setting::new();
    let (child, address) = server(setting.peer("registry.py")).await;
    (setting.host("registry.example", address).start().await, child)
}

#[tokio::test(flavor = "multi_thread")]
async fn git_clones_and_pushes() {
    let (wire, _server) = registry().await;
    wire.run("git", &["clone", "-q", "https://registry.example/git/work.git", "clone"]).await;
    let commit = "cd clone && git config user.name G && git config user.email g@example.org && \
                  head -c 3000000 /dev/urandom > large && git add . && git commit -qm Large && git push -q";
    wire.run("bash", &["-c", commit]).await;
    wire.run("git", &["clone", "-q", "https://registry.example/git/work.git", "again"]).await;
    let sizes = wire.run("bash", &["-c", "cmp clone/large again/large && cat again/README"]).await;
    assert_eq!(sizes, "hello\n");
    let lines = wire.lines(6).await;
    assert!(lines.iter().any(|line| line["path"] == "/git/work.git/git-receive-pack"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn npm_installs() {
    let (wire, _server) = registry().await;
    std::fs::write(wire.path("package.json"), "{\"name\": \"a\", \"version\": \"1.0.0\"}").unwrap();
    let mut npm = wire.command("npm");
    npm.args(["install", "--registry", "https://registry.example/npm/", "--no-audit", "--no-fund"]);
    // The machine's own settings may name a `cafile`, which would come before `NODE_EXTRA_CA_CERTS`.
    npm.args(["--fetch-retries", "0", "greeting"]).env("npm_config_globalconfig", wire.path("npmrc"));
    let output = timeout(LONG, npm.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = wire.run("node", &["-e", "console.log(require('greeting'))"]).await;
    assert_eq!(said, "hello from npm\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn pip_installs() {
    let (wire, _server) = registry().await;
    let mut pip = wire.command(super::python().to_str().unwrap());
    pip.args(["-m", "pip", "install", "--isolated", "-q", "--disable-pip-version-check", "--no-cache-dir"]);
    pip.args(["--proxy", &wire.url(), "--cert", "ca.pem", "--target", "site"]);
    pip.args(["--index-url", "https://registry.example/pip/", "greeting"]);
    let output = timeout(LONG, pip.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = std::fs::read_to_string(wire.path("site/greeting.py")).unwrap();
    assert_eq!(said, "WORDS = 'hello from pip'\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn cargo_fetches() {
    let (wire, _server) = registry().await;
    std::fs::create_dir_all(wire.path("crate/src")).unwrap();
    std::fs::create_dir_all(wire.path("crate/.cargo")).unwrap();
    let manifest = "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\ngreeting = { version = \"1\", registry = \"example\" }\n\n[workspace]\n";
    let config = "[registries.example]\nindex = \"sparse+https://registry.example/cargo/\"\n";
    for (name, text) in [
        ("crate/Cargo.toml", manifest),
        ("crate/.cargo/config.toml", config),
        ("crate/src/lib.rs", "pub use greeting::WORDS;\n"),
    ] {
        std::fs::write(wire.path(name), text).unwrap();
    }
    let home = wire.path("cargo-home");
    let mut cargo = wire.command(env!("CARGO"));
    cargo.arg("fetch").current_dir(wire.path("crate")).env("CARGO_HOME", &home);
    let output = timeout(LONG, cargo.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = wire.run("bash", &["-c", "cat cargo-home/registry/src/*/greeting-1.0.0/src/lib.rs"]).await;
    assert_eq!(found, "pub const WORDS: &str = \"hello from cargo\";\n");
    let paths: Vec<_> = wire.lines(3).await.iter().map(|line| line["path"].clone()).collect();
    assert!(paths.contains(&"/cargo/config.json".into()), "{paths:?}");
}
