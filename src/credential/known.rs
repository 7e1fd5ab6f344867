//! Pure. The credentials that are known by name: where each belongs, where its value is searched for, and what stands
//! for it inside the container.

use super::binding::Binding;
use crate::manifest::project::{AgentKind, Credential, Rule, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The names.
pub const KNOWN: [&str; 4] = ["anthropic", "openai", "chatgpt", "github"];
/// Variables in which they are searched for.
pub const VARIABLES: [&str; 6] = [
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "CODEX_API_KEY",
    "GH_TOKEN",
    "GITHUB_TOKEN",
];
/// The placeholder of a token of Claude's.
pub const CLAUDE_TOKEN: &str = "sk-ant-oat01-clauderon-proxy-placeholder";
/// The placeholder of an API key of Anthropic's.
pub const CLAUDE_KEY: &str = "sk-ant-api03-clauderon-proxy-placeholder";
/// The placeholder of an API key of `OpenAI`'s.
pub const CODEX_KEY: &str = "sk-openai-clauderon-proxy-placeholder";
/// The placeholder of `ChatGPT`'s token: a JWT that ends in the year 2100.
pub const CODEX_ACCESS: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJleHAiOjQxMDI0NDQ4MDB9.clauderon-proxy";
/// The placeholder of GitHub's token.
pub const GITHUB: &str = "clauderon-proxy";
/// What a login of Claude's may do, where its file does not say.
pub const CLAUDE_SCOPES: [&str; 2] = ["user:inference", "user:profile"];

/// The usual value of a header.
const BEARER: &str = "Bearer {}";

/// What sort of value a source gives; the placeholder inside follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A token that lives long, in a variable of its own.
    #[default]
    Token,
    /// An API key.
    Key,
    /// The agent's own login, with a file of its own inside.
    Login,
}

/// What was found of a credential; its value is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where its value comes from; `None` where nothing was found.
    pub source: Option<Source>,
    /// What sort of value that is.
    pub kind: Kind,
    /// What the agent shows of its login: plan, scopes, account.
    pub about: Value,
}

/// Directories of the user in which credentials are searched for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `~/.claude`, or what `CLAUDE_CONFIG_DIR` names.
    pub claude: PathBuf,
    /// `~/.codex`, or what `CODEX_HOME` names.
    pub codex: PathBuf,
    /// `~/.config`, or what `XDG_CONFIG_HOME` names.
    pub config: PathBuf,
}

/// The credentials that an agent has by itself.
pub fn implied(agent: AgentKind) -> &'static [&'static str] {
    match agent {
        AgentKind::Claude => &["anthropic"],
        AgentKind::Codex => &["openai", "chatgpt"],
    }
}

/// Where a known credential is searched for, in this order.
pub fn candidates(name: &str, places: &Places) -> Vec<Source> {
    let env = |name: &str| Source::Env(name.to_owned());
    let file =
        |path: PathBuf, pointer: &str| Source::File { path, pointer: pointer.to_owned(), fixed: false };
    match name {
        "anthropic" => vec![
            env("CLAUDE_CODE_OAUTH_TOKEN"),
            env("ANTHROPIC_API_KEY"),
            file(places.claude.join(".credentials.json"), CLAUDE_POINTER),
        ],
        "openai" => vec![
            env("OPENAI_API_KEY"),
            env("CODEX_API_KEY"),
            file(places.codex.join("auth.json"), "/OPENAI_API_KEY"),
        ],
        "chatgpt" => vec![file(places.codex.join("auth.json"), CODEX_POINTER)],
        "github" => vec![
            env("GH_TOKEN"),
            env("GITHUB_TOKEN"),
            file(places.config.join("gh/hosts.yml"), "/github.com/oauth_token"),
        ],
        _ => Vec::new(),
    }
}

/// Where Claude's login keeps its token.
pub const CLAUDE_POINTER: &str = "/claudeAiOauth/accessToken";
/// Where Codex's login keeps its token.
pub const CODEX_POINTER: &str = "/tokens/access_token";

/// What sort of value a source gives to a credential; the variable that is to hold its placeholder says so where it is named.
pub fn kind(name: &str, source: Option<&Source>, environment: &[String]) -> Kind {
    let named = |kind| environment.iter().any(|it| variables(name, kind).contains(&it.as_str()));
    match (name, source) {
        ("anthropic", _) if named(Kind::Token) => Kind::Token,
        ("anthropic", _) if named(Kind::Key) => Kind::Key,
        ("anthropic", Some(Source::File { pointer, .. })) if pointer == CLAUDE_POINTER => Kind::Login,
        ("anthropic", Some(Source::Env(name))) if name.contains("OAUTH") => Kind::Token,
        ("anthropic", Some(_)) | ("openai", _) => Kind::Key,
        ("chatgpt", Some(_)) => Kind::Login,
        _ => Kind::Token,
    }
}

/// Variables that hold the placeholder of a known credential.
pub fn variables(name: &str, kind: Kind) -> &'static [&'static str] {
    match (name, kind) {
        ("anthropic", Kind::Token) => &["CLAUDE_CODE_OAUTH_TOKEN"],
        ("anthropic", Kind::Key) => &["ANTHROPIC_API_KEY"],
        ("openai", _) => &["OPENAI_API_KEY", "CODEX_API_KEY"],
        ("github", _) => &["GH_TOKEN", "GITHUB_TOKEN"],
        _ => &[],
    }
}

/// What stands for a credential inside.
pub fn placeholder(name: &str, kind: Kind) -> String {
    match (name, kind) {
        ("anthropic", Kind::Key) => CLAUDE_KEY.to_owned(),
        ("anthropic", _) => CLAUDE_TOKEN.to_owned(),
        ("openai", _) => CODEX_KEY.to_owned(),
        ("chatgpt", _) => CODEX_ACCESS.to_owned(),
        ("github", _) => GITHUB.to_owned(),
        (own, _) => format!("{}-{own}", super::binding::MARK),
    }
}

/// Where a credential belongs.
pub fn bindings(name: &str, credential: &Credential, kind: Kind) -> Vec<Binding> {
    let at = |host: &str, port: u16, paths: &[&str], header: &str, value: &str| {
        let paths = (!paths.is_empty()).then(|| paths.iter().map(|path| (*path).to_owned()).collect());
        let mut rules = vec![credential.rule.clone()];
        rules.extend(paths.map(|paths| Rule { paths: Some(paths), ..Rule::default() }));
        Binding {
            credential: name.to_owned(),
            host: host.to_owned(),
            port,
            rules,
            header: header.to_ascii_lowercase(),
            value: value.to_owned(),
            placeholders: vec![placeholder(name, kind)],
            place: credential.place.clone(),
            sets: true,
        }
    };
    if let Some(target) = &credential.target {
        return vec![at(&target.host, target.port, &[], &target.header, &target.value)];
    }
    match (name, kind) {
        ("anthropic", Kind::Key) => vec![at("api.anthropic.com", 443, &[], "x-api-key", "{}")],
        ("anthropic", _) => vec![at("api.anthropic.com", 443, &[], "authorization", BEARER)],
        ("openai", _) => vec![at("api.openai.com", 443, &[], "authorization", BEARER)],
        // The same token opens the user's conversations.
        ("chatgpt", _) => {
            let paths = ["/backend-api/codex/**", "/backend-api/wham/**"];
            vec![at("chatgpt.com", 443, &paths, "authorization", BEARER)]
        }
        ("github", _) => {
            let git = ["info/refs", "git-upload-pack", "git-receive-pack", "info/lfs/**"];
            let git: Vec<String> = git.iter().map(|end| format!("/*/*/{end}")).collect();
            let git: Vec<&str> = git.iter().map(String::as_str).collect();
            vec![
                at("api.github.com", 443, &[], "authorization", BEARER),
                at("uploads.github.com", 443, &[], "authorization", BEARER),
                at("github.com", 443, &git, "authorization", "Basic x-access-token:{}"),
            ]
        }
        _ => Vec::new(),
    }
}

/// `~/.claude/.credentials.json` inside: with it subscription features stay on, which a token in a variable turns off.
pub fn claude_login(about: &Value) -> Value {
    let scopes = if about["scopes"].is_array() { about["scopes"].clone() } else { json!(CLAUDE_SCOPES) };
    json!({ "claudeAiOauth": {
        "accessToken": CLAUDE_TOKEN,
        "refreshToken": CLAUDE_TOKEN,
        "expiresAt": 4_102_444_800_000_u64,
        "scopes": scopes,
        "subscriptionType": about["subscriptionType"],
        "rateLimitTier": about["rateLimitTier"],
    }})
}

/// `auth.json` inside for a login of `ChatGPT`'s.
pub fn codex_login(about: &Value) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let account = about["account_id"].as_str().unwrap_or("clauderon-proxy");
    let plan = about["plan"].as_str().unwrap_or("plus");
    let claims = json!({
        "email": "clauderon-proxy@localhost", "exp": 4_102_444_800_u64,
        "https://api.openai.com/auth": { "chatgpt_plan_type": plan, "chatgpt_account_id": account },
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let id = format!("{}.{}.clauderon-proxy", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims));
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": id, "access_token": CODEX_ACCESS, "refresh_token": CODEX_ACCESS, "account_id": account,
        },
        "last_refresh": "2099-01-01T00:00:00Z",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sort_of_a_value_follows_its_source_unless_the_variable_says_it() {
        let op = Source::Op("op://a/b/c".to_owned());
        let token = ["CLAUDE_CODE_OAUTH_TOKEN".to_owned()];
        let key = ["ANTHROPIC_API_KEY".to_owned()];
        assert_eq!(kind("anthropic", Some(&op), &[]), Kind::Key);
        assert_eq!(kind("anthropic", Some(&op), &token), Kind::Token);
        let of_token = Source::Env("CLAUDE_CODE_OAUTH_TOKEN".to_owned());
        assert_eq!(kind("anthropic", Some(&of_token), &[]), Kind::Token);
        assert_eq!(kind("anthropic", Some(&of_token), &key), Kind::Key);
        assert_eq!(kind("acme", Some(&op), &token), Kind::Token);
    }
}
