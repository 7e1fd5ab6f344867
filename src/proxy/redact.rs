//! Pure. What is taken out of a line before it is written: whatever looks like a credential, whatever drives a terminal.
//! A text that only might be one goes too; the log is to be read, not replayed.

use super::audit::Line;
use crate::credential::binding::MARK;

/// What stands in the place of a secret.
const GONE: &str = "[redacted]";
/// A longer text of the caller's is cut: one session must not wash the others' lines out of the log.
const LONGEST: usize = 512;
/// Longer texts are not looked into: who writes as much into one segment has no path in mind.
const LONGEST_PART: usize = 512;
/// How tokens of known makes begin, in lower case.
const PREFIXES: [&str; 36] = [
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "pk_live_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glrt-",
    "xoxa-",
    "xoxb-",
    "xoxc-",
    "xoxd-",
    "xoxe-",
    "xoxe.",
    "xoxo-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "npm_",
    "pypi-",
    "hf_",
    "ya29.",
    "eyj",
    "akia",
    "asia",
    "aiza",
    "dop_v1_",
];
/// Words after which a secret stands, in lower case.
const NAMES: [&str; 9] =
    ["token", "secret", "password", "passwd", "pwd", "apikey", "api_key", "api-key", "signature"];

/// Makes a line safe to keep and to show.
pub fn clean(line: &mut Line) {
    line.path = line.path.take().map(|path| short(&path_of(&path)));
    line.host = words(&line.host);
    line.method = short(&words(&line.method));
    line.credential = line.credential.take().map(|name| short(&harmless(&name)));
    line.reason = line.reason.take().map(|reason| short(&words(&reason)));
}

/// A path without its query and without the segments that look like a secret.
pub fn path_of(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut clean = String::new();
    for (number, segment) in path.split('/').enumerate() {
        // What is cut is not looked into: a path may be as long as a head.
        if clean.len() > LONGEST {
            break;
        }
        if number > 0 {
            clean.push('/');
        }
        clean.push_str(if is_secret(segment) { GONE } else { segment });
    }
    harmless(&clean)
}

/// A text without the words that look like a secret: a name's labels, a reason's words.
pub fn words(text: &str) -> String {
    let apart =
        |letter: char| letter.is_whitespace() || letter.is_control() || "`'\"/,;()[]{}<>?&".contains(letter);
    let mut clean = String::new();
    for piece in text.split_inclusive(apart) {
        if clean.len() > LONGEST {
            break;
        }
        let end = piece.chars().next_back().filter(|letter| apart(*letter));
        let word = &piece[..piece.len() - end.map_or(0, char::len_utf8)];
        // A token may have dots, and so may a name whose labels are looked at one by one.
        if word.split('.').any(is_secret) || is_marked(word) {
            clean.push_str(GONE);
        } else {
            clean.push_str(word);
        }
        clean.extend(end);
    }
    harmless(&clean)
}

/// A text in which nothing moves a cursor or turns the direction of writing.
pub fn harmless(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let odd = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|letter| if odd(letter) { '\u{fffd}' } else { letter }).collect()
}

fn short(text: &str) -> String {
    match text.len() {
        0..=LONGEST => text.to_owned(),
        _ => format!("{}…", &text[..text.floor_char_boundary(LONGEST)]),
    }
}

/// Whether a segment of a path looks like a secret, as it stands or with its escapes undone, however often escaped.
pub fn is_secret(segment: &str) -> bool {
    if segment.len() > LONGEST_PART {
        return true;
    }
    let mut text = segment.to_owned();
    loop {
        if is_marked(&text) || text.split(['/', '?', '&', '=', ';', ',', '@', ':']).any(is_random) {
            return true;
        }
        if !text.contains('%') {
            return false;
        }
        let decoded = decoded(&text);
        if decoded == text {
            return false;
        }
        text = decoded;
    }
}

/// Undoes one layer of `%41`; each layer makes the text shorter.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits =
            |two: &[u8]| std::str::from_utf8(two).ok().and_then(|two| u8::from_str_radix(two, 16).ok());
        let escaped = tail.get(..2).filter(|two| *first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        bytes.push(escaped.and_then(digits).unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether something in a text says that a secret stands there.
fn is_marked(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at = |at: usize, word: &str| {
        bytes.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let begins = |start: &usize| *start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
    let known = |start: usize| {
        PREFIXES.iter().any(|prefix| at(start, prefix) && is_token(&bytes[start + prefix.len()..]))
    };
    let named = |end: usize| {
        matches!(bytes[end], b'=' | b':')
            && NAMES.iter().any(|name| end.checked_sub(name.len()).is_some_and(|start| at(start, name)))
    };
    // A name and a password before a host.
    let user = text.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    let ours = || bytes.windows(MARK.len()).any(|part| part.eq_ignore_ascii_case(MARK.as_bytes()));
    user || (0..bytes.len()).filter(begins).any(known) || (0..bytes.len()).any(named) || ours()
}

/// Whether what follows a known beginning goes on like a token.
fn is_token(rest: &[u8]) -> bool {
    let token = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%');
    rest.iter().take_while(token).count() >= 8
}

/// Whether a text is more mixed than people name things: hashes, UUIDs and base64 are; `claude-sonnet-4-20250514` is not.
fn is_random(text: &str) -> bool {
    let runs = || text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mixed = |run: &str| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        (run.len() >= 16 && digits > 0 && digits < run.len()) || run.len() >= 24
    };
    let hex = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    if runs().any(mixed) || (text.len() >= 32 && text.bytes().all(|byte| hex(&byte))) {
        return true;
    }
    let kinds: Vec<u8> = text.bytes().filter_map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    kinds.len() >= 20 && changes * 3 >= kinds.len()
}

fn kind(byte: u8) -> Option<u8> {
    match byte {
        b'a'..=b'z' => Some(0),
        b'A'..=b'Z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_name_things_stays() {
        for path in [
            "/",
            "",
            "*",
            "/v1/messages",
            "/a%20b/../c",
            "/v1/models/claude-sonnet-4-5-20250929",
            "/backend-api/codex/responses",
            "/repos/rust-lang/rust/pulls/123456/comments",
            "/api/v1/crates/serde_json/1.0.154/download",
            "/shop/login.git/git-upload-pack",
            "/@types%2fnode",
            "/sk-8s/ask-me-anything/desk-organizers",
            "/simple/typing-extensions/typing_extensions-4.12.2-py3-none-any.whl",
            "/2026-11-24T15:50:20Z",
            "/CompletionsForWorkspace",
            "/ubuntu/dists/noble-updates/main/binary-amd64/Packages.xz",
        ] {
            assert_eq!(path_of(path), path);
        }
    }

    #[test]
    fn what_looks_like_a_secret_goes() {
        for secret in [
            "sk-ant-oat01-abcdefgh",
            "SK-ANT-oat01-abcdefgh",
            "sk%2Dant-oat01-abcdefgh",
            "sk%252Dant-oat01-abcdefgh",
            "%67hp_abcdefgh",
            "bot-ghp_abcdefgh",
            "github_pat_11ABCDEFG",
            "xoxb-12345678",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "clauderon-proxy",
            "sk-openai-clauderon-proxy-placeholder",
            "0123456789abcdef0123456789abcdef01234567",
            "123e4567-e89b-12d3-a456-426614174000",
            "bot123456:AAH-dGhpcyBpcyBub3QgcmVhbA",
            "user:word@host.example",
            "https%3A%2F%2Fuser:word@host.example",
            "token=hunter2",
            "my-PassWord:hunter2",
            "x-Clauderon-Proxy-y",
            "x%3Btoken%3Dhunter2",
            "Zm9v-YmFy_YmF6-cXV4_cXV1",
        ] {
            assert_eq!(path_of(&format!("/a/{secret}/b")), "/a/[redacted]/b");
            let said = words(&format!("the request is for `{secret}`, no"));
            assert!(!said.contains(secret), "{said}");
        }
        assert_eq!(path_of("/a?key=hidden#part"), "/a");
        assert_eq!(path_of(&"x".repeat(30_000)), GONE);
    }

    #[test]
    fn reasons_and_names_stay_as_they_are() {
        for text in [
            "proxy.hosts.\"*.example.com\" (clauderon.yaml:12) is `read-only`, and this request may change something",
            "`localhost` is loopback (127.0.0.1)",
            "neither TLS nor HTTP came: where `a.example` speaks something else, it has to be a tunnel",
            "did not answer within 600 s",
            "downloads.packages.example",
            "::1",
            "M-SEARCH",
        ] {
            assert_eq!(words(text), text);
        }
    }

    #[test]
    fn nothing_drives_a_terminal_and_nothing_is_long() {
        let mut line = Line {
            method: "M".repeat(5000),
            path: Some(format!("/\u{1b}[2J\u{9b}\u{202e}\u{7f}{}", "/ö".repeat(5000))),
            ..Line::default()
        };
        clean(&mut line);
        let path = line.path.unwrap();
        assert!(
            path.starts_with("/\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}/ö/ö") && path.ends_with('…'),
            "{path}"
        );
        assert!(path.len() <= LONGEST + 3 && line.method.len() <= LONGEST + 3);
    }
}
