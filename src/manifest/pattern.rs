//! Pure. The rules of texts as patterns, for the published schema: an editor then refuses what `validate` refuses.
//! The words come from the functions beside which each pattern is named; `tests/rules.rs` holds the two together.
//! Patterns keep to what ECMAScript and Rust read alike: no `\d`, no `.`, control characters by their numbers.

use serde_json::{Value, json};

/// Control characters and the space.
const CONTROL: &str = r"\x00-\x20\x7f-\x9f";
/// Control characters and everything that Unicode calls white space.
const BLANK: &str = r"\x00-\x20\x7f-\x9f\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// A slash in a path of the container, with the `.` and the further slashes that change nothing.
const SLASH: &str = r"/+(?:\./+)*";
/// A number from 0 to 255.
const OCTET: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
/// A number from 1 to 65535.
const PORT: &str =
    "0*(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})";

/// A pattern with what to say where it does not fit.
fn rule(pattern: &str, message: &str) -> Value {
    json!({"pattern": pattern, "patternErrorMessage": message})
}

/// `branch::branch`; its 200 bytes are 200 characters here.
pub fn branch() -> Value {
    let letter = r"[^/\x00-\x20\x7f-\x9f~^:?*\[\\]";
    let part = format!(r"(?!\.)(?![^/]*\.lock(?:/|$)){letter}+");
    let whole = r"(?!-|refs/|(?:HEAD|@)/?$)(?![\s\S]*(?:\.\.|@\{|\./?$))(?=[\s\S]{1,200}/?$)";
    rule(
        &format!("^{whole}(?:{part}/)*{part}/?$"),
        "a branch that git takes, such as `agents/login`, or `agents/` to have the session's name added",
    )
}

/// `branch::revision`.
pub fn revision() -> Value {
    let pattern = format!(r"^(?!-)(?![\s\S]*\.\.)[^{BLANK}]{{1,1024}}$");
    rule(&pattern, "a branch, a tag or a commit, such as `main`")
}

/// `path::host_path`.
pub fn host_path() -> Value {
    rule(r"^(?:[^~][\s\S]*|~(?:/[\s\S]*)?)$", "a path, seen from the manifest; `~/` is the home directory")
}

/// `path::inner_path`.
fn inner(more: &str) -> String {
    format!(r"^(?!/)(?!(?:\.(?:/\.?)*)?$)(?!(?:[\s\S]*/)?\.\.(?:/|$)){more}")
}

/// `path::inner_path`.
pub fn inner_path() -> Value {
    rule(&inner(""), "a relative path that does not lead out of its directory")
}

/// `path::inner_path` of files to copy.
pub fn copied() -> Value {
    let message = "a file of the repository, relative to its root; `.git` is never copied";
    json!({"items": rule(&inner(r"(?!(?:\./+)*\.git(?:/|$))"), message)})
}

/// `path::container_path`, up to `end`.
fn container(end: &str, letter: &str) -> String {
    let reserved = [
        format!("etc{SLASH}(?:clauderon|claude-code)"),
        format!("run{SLASH}clauderon"),
        format!(r"workspace{SLASH}(?:\.clauderon|\.git|\.claude\.json|\.claude{SLASH}projects|\.codex)"),
    ];
    let reserved = reserved.join("|");
    let own = format!(r"(?!(?:{SLASH}workspace)?(?:/\.?)*(?:{end}))");
    let up = format!(r"(?!{letter}*/\.\.(?:/|{end}))");
    format!("{own}(?!{SLASH}(?:{reserved})(?:/|{end})){up}/{letter}*")
}

const CONTAINER_RULE: &str = "an absolute path in the container, such as `/workspace/data`; `/workspace` itself and what clauderon keeps are taken";

/// `path::container_path`.
pub fn container_path() -> Value {
    rule(&format!("^{}$", container("$", r"[^\x00-\x1f\x7f-\x9f]")), CONTAINER_RULE)
}

/// A source of a volume up to `end`: a path without the engine's socket in it, or a name.
fn source(end: &str, letter: &str) -> String {
    let socket = format!(r"(?!(?:{letter}*/)?(?:docker|podman|containerd)\.sock/*(?:{end}))");
    let above = format!("(?!/+(?:run|var|var/+run)?/*(?:{end}))");
    let path = format!(r"{socket}{above}(?:[./]{letter}*|~(?:/{letter}*)?)");
    format!("(?:{path}|[A-Za-z0-9][A-Za-z0-9_.-]{{0,127}})")
}

const SOURCE_RULE: &str = "a path of the host that begins with `./`, `../`, `/` or `~/`, or the name of a volume; never the engine's socket";

/// `settle`'s rule of a volume's source.
pub fn volume_source() -> Value {
    rule(&format!("^{}$", source("$", r"[\s\S]")), SOURCE_RULE)
}

/// The short form of a volume, with the rules of its parts.
pub fn volume() -> Value {
    let source = source(":", "[^:]");
    let target = container(":|$", r"[^:\x00-\x1f\x7f-\x9f]");
    let message = format!("`SOURCE:TARGET` or `SOURCE:TARGET:ro`: {SOURCE_RULE}; then {CONTAINER_RULE}");
    rule(&format!("^{source}:{target}(?::(?:ro|rw))?$"), &message)
}

/// `pairs::variable`, in a map and in a list.
pub fn variables() -> Value {
    let name = format!("[^={CONTROL}]+");
    named(&name, &name, "the name of a variable, such as `RUST_LOG`")
}

/// `pairs::label`, in a map and in a list.
pub fn labels() -> Value {
    let own = r"(?!clauderon\.)";
    let message =
        "the name of a label, such as `team`; those that begin with `clauderon.` are clauderon's own";
    named(&format!("{own}[^{BLANK}]+"), &format!("{own}[^={BLANK}]+"), message)
}

fn named(key: &str, item: &str, message: &str) -> Value {
    json!({
        "propertyNames": rule(&format!("^{key}$"), message),
        "items": rule(&format!("^{item}="), &format!("`NAME=VALUE` with {message}")),
    })
}

fn four() -> String {
    format!(r"(?:{OCTET}\.){{3}}{OCTET}")
}

/// An address of IPv6, as Rust's standard library reads it.
fn six() -> String {
    let (group, four) = ("[0-9A-Fa-f]{1,4}", four());
    let mut forms = vec![format!("(?:{group}:){{7}}{group}"), format!("(?:{group}:){{6}}{four}")];
    for head in 0..=7 {
        let front = if head == 0 { ":".to_owned() } else { format!("(?:{group}:){{{head}}}") };
        let rest = 7 - head;
        let mut tails = vec![String::new()];
        if rest > 0 {
            tails.push(format!("(?:{group}:){{0,{}}}{group}", rest - 1));
        }
        if rest > 1 {
            tails.push(format!("(?:{group}:){{0,{}}}{four}", rest - 2));
        }
        forms.push(format!("{front}:(?:{})", tails.join("|")));
    }
    format!("(?:{})", forms.join("|"))
}

/// A name of a host or an address of IPv4, up to `end`.
fn name(end: &str) -> String {
    let label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
    let words = format!(r"(?!(?:[^.:]*\.)*[0-9]+(?:{end}))(?=[^:]{{1,253}}(?:{end})){label}(?:\.{label})*");
    format!("(?:{}|{words})", four())
}

/// `host::host_pattern`, of each key.
pub fn hosts() -> Value {
    let below = format!(r"\*\.(?!{}$){}", four(), name("$"));
    let pattern = format!(r"^(?:\*|{below}|{}|{})$", six(), name("$"));
    let message =
        "a host's name alone, without scheme, port or path, such as `api.acme.lan`; `*.acme.lan`; `*`";
    json!({"propertyNames": rule(&pattern, message)})
}

/// `host::address`.
pub fn address() -> Value {
    let pattern = format!(r"^(?:\[{}\]|{}):{PORT}$", six(), name(":"));
    rule(&pattern, "a host and a port, such as `10.0.0.5:8443`, `db.lan:5432` or `[fd00::5]:443`")
}

/// Of two keys with a value only one.
pub fn exclude(one: &str, other: &str) -> Value {
    let given = json!({"not": {"type": "null"}, "doNotSuggest": true});
    json!({
        "if": {"required": [one, other], "properties": {one: given, other: given}},
        "then": {"properties": {other: false}, "errorMessage": format!("`{one}` and `{other}` exclude each other")},
    })
}
