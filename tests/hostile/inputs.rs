//! Manifests that want to hurt: each a name and its bytes, at most the size that is read at all unless the name says
//! otherwise. The tests and the benchmark write them from here.

/// The bytes that a manifest may have.
pub const MOST: usize = 1024 * 1024;

/// A hostile manifest.
pub struct Input {
    /// What it tries.
    pub name: &'static str,
    /// The manifest.
    pub bytes: Vec<u8>,
    /// Whether nothing is wrong with it.
    pub valid: bool,
}

/// All of them.
pub fn inputs() -> Vec<Input> {
    let wrong = |(name, text): (&'static str, String)| Input { name, bytes: text.into_bytes(), valid: false };
    let mut all: Vec<Input> = Vec::new();
    all.extend(bytes());
    all.extend(nested().map(wrong));
    all.extend(expanding().map(wrong));
    all.extend(long().map(wrong));
    all.extend(many().map(wrong));
    all.extend(faulty().map(wrong));
    all.extend(inherited().map(wrong));
    all.extend(valid().map(|(name, text)| Input { name, bytes: text.into_bytes(), valid: true }));
    all
}

fn bytes() -> impl Iterator<Item = Input> {
    let utf16 = |mark: &[u8], wide: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), "name: shop\n".encode_utf16().flat_map(wide).collect()].concat()
    };
    [
        ("nul", b"name: a\0b\n".to_vec()),
        ("nuls", vec![0; MOST]),
        ("utf-16-le", utf16(&[0xff, 0xfe], u16::to_le_bytes)),
        ("utf-16-be", utf16(&[0xfe, 0xff], u16::to_be_bytes)),
        ("utf-16-unmarked", utf16(&[], u16::to_le_bytes)),
        ("latin-1", b"name: caf\xe9\n".to_vec()),
        ("no-utf-8", vec![0xff; MOST]),
        ("ten-megabytes", b"a: b\n".repeat(2 * MOST)),
    ]
    .into_iter()
    .map(|(name, bytes)| Input { name, bytes, valid: false })
}

/// A text again and again, up to the size that is read.
fn full(text: &str) -> String {
    text.repeat(MOST / text.len())
}

fn nested() -> impl Iterator<Item = (&'static str, String)> {
    let levels = |text: &str| text.repeat(10_000);
    let block: String = (0..1_400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    [
        ("levels-of-lists", levels("[")),
        ("levels-of-lists-closed", levels("[") + &levels("]")),
        ("levels-of-maps", levels("{a: ")),
        ("levels-of-items", levels("- ")),
        ("levels-of-keys", levels("? ")),
        ("levels-of-blocks", block),
        ("brackets", full("[")),
        ("braces", full("{")),
        ("dashes", full("- ")),
        ("questions", full("? ")),
        ("pairs-of-brackets", full("[]")),
    ]
    .into_iter()
}

fn expanding() -> impl Iterator<Item = (&'static str, String)> {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut merges = "a: &a {x: 1, y: 2}\n".to_owned();
    for level in 'b'..='z' {
        let below = char::from(level as u8 - 1);
        let nine = vec![format!("*{below}"); 9].join(", ");
        bomb += &format!("{level}: &{level} [{nine}]\n");
        merges += &format!("{level}: &{level} {{<<: [{nine}]}}\n");
    }
    let text = |size: usize, times: usize| {
        format!("x-a: &a \"{}\"\nx-b: [{}]\n", "x".repeat(size), vec!["*a"; times].join(", "))
    };
    let map: String = (0..4_000).map(|key| format!("k{key}: 1, ")).collect();
    [
        ("alias-bomb", bomb),
        ("merge-bomb", merges),
        ("alias-of-a-long-text", text(MOST - 64 * 1024, 900)),
        ("alias-of-texts", text(64 * 1024, 999)),
        ("alias-of-a-map", format!("x-a: &a {{{map}}}\nx-b: [{}]\n", vec!["*a"; 900].join(", "))),
        ("alias-in-itself", "a: &a [*a]\n".to_owned()),
        ("anchors", full("&a ")),
        ("anchored-items", full("- &a a\n")),
        ("aliases", format!("x-a: &a 1\nx-b: [{}]\n", "*a, ".repeat(200_000))),
    ]
    .into_iter()
}

fn long() -> impl Iterator<Item = (&'static str, String)> {
    let most = MOST - 100;
    let x = "x".repeat(most);
    [
        ("line-unclosed", format!("name: \"{x}")),
        ("line-with-a-fault-at-its-end", format!("{{x-a: \"{x}\", mode: wrong}}")),
        ("line-with-an-open-end", format!("{{x-a: \"{x}\", mode: [")),
        ("line-of-escapes", format!("{{x-a: \"{}\", mode: wrong}}", "\\x41".repeat(most / 4))),
        ("line-of-wide-letters", format!("{{x-a: \"{}\", mode: wrong}}", "\u{5b57}".repeat(most / 3))),
        ("long-key", format!("\"{x}\": 1\n")),
        ("long-explicit-key", format!("? \"{x}\"\n: 1\n")),
        ("long-name", format!("name: \"{x}\"\n")),
        ("long-word", format!("mode: \"{x}\"\n")),
        ("long-session", format!("sessions: {{? \"{x}\" : a}}\n")),
        ("long-variable", format!("environment: {{? \"{x}\" : null}}\n")),
        ("long-number", format!("resources: {{pids: {}}}\n", "9".repeat(most))),
        ("long-image", format!("image: \"{x}\"\n")),
        ("long-branch", format!("repository: {{branch: \"{x}\"}}\n")),
        ("long-anchor", format!("a: &{x} 1\n")),
        ("long-alias", format!("a: *{x}\n")),
        ("long-tag", format!("a: !{x} 1\n")),
        ("long-directive", format!("%{x}\n---\na: 1\n")),
        ("tags", full("!!str ")),
        ("documents", full("---\n")),
        ("quotes", full("\"")),
        ("bars", full("|\n")),
        ("escapes", format!("a: \"{}", "\\".repeat(MOST - 100))),
        ("control-letters", full("\u{1b}")),
    ]
    .into_iter()
}

fn many() -> impl Iterator<Item = (&'static str, String)> {
    [
        ("keys-in-a-line", format!("{{{}}}", "a,".repeat(MOST / 2 - 1))),
        ("keys", (0..100_000).map(|key| format!("k{key}:\n")).collect()),
        ("items", full("-\n")),
        ("items-in-a-line", format!("[{}]", "1,".repeat(MOST / 2 - 1))),
        ("sessions-beyond-the-limit", format!("sessions:\n{}", sessions(50_000, ""))),
    ]
    .into_iter()
}

fn sessions(count: usize, rest: &str) -> String {
    (0..count).map(|session| format!("  s{session}:{rest}\n")).collect()
}

fn faulty() -> impl Iterator<Item = (&'static str, String)> {
    let list = |count: usize, text: fn(usize) -> String| (0..count).map(text).collect::<String>();
    let padding = "x".repeat(MOST - 300_000);
    [
        ("unknown-keys", list(9_900, |key| format!("k{key}: 1\n"))),
        ("unknown-keys-alike", list(9_900, |key| format!("{}{key:04}: 1\n", "sessionz".repeat(10)))),
        (
            "unknown-keys-in-a-long-line",
            format!("{{x-a: \"{padding}\"{}}}", list(9_000, |key| format!(", k{key}: 1"))),
        ),
        (
            "keys-twice-in-a-long-line",
            format!("{{x-a: \"{padding}\"{}}}", list(9_000, |_| ", k: 1".to_owned())),
        ),
        ("keys-twice", list(9_900, |_| "name: a\n".to_owned())),
        ("nul-escapes", format!("x-a: [{}]", list(19_000, |_| "\"\\0\", ".to_owned()))),
        ("unknown-keys-of-sessions", format!("sessions:\n{}", sessions(3_200, " {modus: batch}"))),
        ("unknown-words-of-sessions", format!("sessions:\n{}", sessions(3_200, " {mode: bach}"))),
        ("sessions-that-are-lists", format!("sessions:\n{}", sessions(4_900, " [1]"))),
        ("batch-without-prompts", format!("sessions:\n{}", sessions(4_000, " {mode: batch}"))),
        (
            "branches-that-git-refuses",
            format!("sessions:\n{}", sessions(2_400, " {repository: {branch: a..b}}")),
        ),
        ("one-branch", format!("repository: {{branch: one}}\nsessions:\n{}", sessions(9_900, ""))),
        ("names-of-sessions", format!("sessions:\n{}", list(9_900, |name| format!("  S {name}:\n")))),
        (
            "variables-without-values",
            format!("environment:\n{}", list(9_900, |name| format!("  A{name}:\n"))),
        ),
        ("volumes-at-one-place", format!("volumes:\n{}", list(19_000, |_| "- a:/a\n".to_owned()))),
        ("volumes-misspelt", format!("volumes:\n{}", list(19_000, |name| format!("- a{name}\n")))),
        ("volumes-of-the-wrong-type", format!("volumes:\n{}", list(19_000, |_| "- 1\n".to_owned()))),
        (
            "prompt-files-that-are-not-there",
            format!("sessions:\n{}", sessions(2_400, " {prompt: {file: none.md}}")),
        ),
    ]
    .into_iter()
}

/// What every session inherits: small to write, large when resolved.
fn inherited() -> impl Iterator<Item = (&'static str, String)> {
    let prompt = "x".repeat(MOST - 200_000);
    let variables: String = (0..4_900).map(|name| format!("  A{name}: a\n")).collect();
    let volumes: String = (0..9_000).map(|at| format!("- a:/a{at}\n")).collect();
    let many = sessions(4_900, "");
    let fewer = sessions(2_000, "");
    let value = format!("credentials: {{x: {{from: env:A, host: a.dev, value: \"{prompt}{{}}\"}}}}");
    let paths: String = (0..9_000).map(|at| format!("/path/number/{at}, ")).collect();
    [
        ("inherited-credential-value", format!("{value}\nsessions:\n{fewer}")),
        (
            "inherited-host-paths",
            format!("proxy: {{hosts: {{a.dev: {{paths: [{paths}]}}}}}}\nsessions:\n{fewer}"),
        ),
        ("inherited-prompt", format!("mode: batch\nprompt: \"{prompt}\"\nsessions:\n{many}")),
        ("inherited-prompt-file", format!("mode: batch\nprompt: {{file: long.md}}\nsessions:\n{many}")),
        ("inherited-variable", format!("environment: {{A: \"{prompt}\"}}\nsessions:\n{many}")),
        ("inherited-argument", format!("agent: {{args: [\"{prompt}\"]}}\nsessions:\n{many}")),
        ("inherited-variables", format!("environment:\n{variables}sessions:\n{many}")),
        ("inherited-volumes", format!("volumes:\n{volumes}sessions:\n{many}")),
        (
            "prompt-files",
            format!("mode: batch\nsessions:\n{}", sessions(2_400, " {prompt: {file: long.md}}")),
        ),
    ]
    .into_iter()
}

fn valid() -> impl Iterator<Item = (&'static str, String)> {
    [
        ("long-fraction", format!("resources: {{cpus: 0.{}}}\n", "9".repeat(MOST - 100))),
        ("long-path", format!("repository: \"{}\"\n", "../a/".repeat(MOST / 5 - 10))),
        ("tabs", full("\t")),
        (
            "variables",
            format!("environment:\n{}", (0..9_900).map(|name| format!("  A{name}: a\n")).collect::<String>()),
        ),
        ("comment", format!("#{}\n", "x".repeat(MOST - 10))),
        ("blank-lines", full("\n")),
        ("free-text", format!("x-a: \"{}\"\n", "x".repeat(MOST - 10))),
        ("as-many-sessions-as-fit", format!("sessions:\n{}", sessions(2_000, ""))),
    ]
    .into_iter()
}
