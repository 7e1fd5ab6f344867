//! Pure. From YAML to a tree. Hostile input ends in a fault: documents, nodes, depth and the expansion of aliases are
//! bounded before anything is built.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Location, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::diagnostic::Fault;
use super::tree::{Entry, Kind, Node};

/// Nodes that a manifest may have, aliases expanded.
const MAX_NODES: usize = 20_000;
/// Bytes of text that a manifest may have, aliases expanded.
const MAX_TEXT: usize = 2 * 1024 * 1024;
/// Characters of the parser's own words that are repeated.
const MAX_SAID: usize = 200;
/// How deep a manifest may nest.
const MAX_DEPTH: usize = 48;
/// The largest whole number that a double holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads one YAML document. An empty one is null.
pub fn read(text: &str) -> Result<Node, Fault> {
    if let Some(at) = text.find('\0') {
        return Err(Fault::new(at..at + 1, "not text: a NUL byte"));
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Ok(place(raw, text)),
        Err(error) => Err(fault(&error, text)),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_total_scalar_bytes: MAX_TEXT,
            max_recorded_anchor_bytes: MAX_TEXT,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_merge_keys: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn fault(error: &serde_saphyr::Error, text: &str) -> Fault {
    let error = error.without_snippet();
    let start = error.location().map_or(0, |location| offset(location, text));
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    if matches!(error, serde_saphyr::Error::Budget { breach: BudgetBreach::Documents { .. }, .. }) {
        return Fault::new(start..start + length, "a second document")
            .help("a manifest is one; remove the `---`");
    }
    let said = UserMessageFormatter.format_message(error);
    if said.contains("too large or too complex") || said.contains("recursion limit") {
        let message = "the manifest is too large, nests too deep or expands too far";
        return Fault::new(start..start + length, message);
    }
    let fault = Fault::new(start..start + length, format!("not valid YAML: {}", in_our_words(&said)));
    match REMEDIES.iter().find(|(words, _)| said.contains(words)) {
        Some((_, remedy)) => fault.help(*remedy),
        None => fault,
    }
}

/// What usually helps, by what the reader says.
const REMEDIES: [(&str, &str); 7] = [
    ("mapping values are not allowed", "quote a text that holds `: `"),
    ("unexpected character: `@'", "quote a text that begins with `@`"),
    ("unexpected character: ``'", "quote a text that begins with a backtick"),
    ("abs disallowed", "indent with spaces"),
    ("did not find expected key", "keys of one map stand in one column"),
    ("illegal placement of ':'", "an earlier `[`, `{` or quote may be open"),
    ("xpected string scalar", "a key is text"),
];

/// The reader's message in one line, not too long, with a small letter in front and our quotes.
fn in_our_words(said: &str) -> String {
    let shortly = said.chars().take(MAX_SAID);
    let mut message: String = shortly.map(|c| if c.is_control() { ' ' } else { c }).collect();
    if message.len() < said.len() {
        message.push('…');
    }
    if !said.starts_with("YAML")
        && let Some(first) = message.get_mut(..1)
    {
        first.make_ascii_lowercase();
    }
    match message.split_once(": `") {
        Some((before, quoted)) if quoted.ends_with('\'') => {
            format!("{before}: `{}`", quoted.trim_end_matches('\''))
        }
        _ => message,
    }
}

/// The byte that a location means; some errors carry only a line and a column.
fn offset(location: Location, text: &str) -> usize {
    if let Some(offset) = location.span().byte_offset() {
        return floor(text, usize::try_from(offset).unwrap_or(0));
    }
    let nth = |value: u64| usize::try_from(value.saturating_sub(1)).unwrap_or(0);
    let line = text.split_inclusive('\n').take(nth(location.line())).map(str::len).sum::<usize>();
    let column = text[line..].chars().take(nth(location.column())).map(char::len_utf8).sum::<usize>();
    line + column
}

/// The nearest character boundary at or below a byte offset.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// A value as the deserializer hands it over, places not yet looked up.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

struct RawVisitor;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole, and below the limit of exact doubles")]
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        if value.fract() == 0.0 && value.abs() < EXACT {
            return Ok(Raw::Number((value as i64).into()));
        }
        Number::from_f64(value).map(Raw::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
            if map.len() > MAX_NODES {
                return Err(A::Error::custom("a map with too many entries"));
            }
        }
        Ok(Raw::Map(map))
    }
}

fn place(raw: Spanned<Raw>, text: &str) -> Node {
    let span = bytes(raw.defined, text);
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Bool(value) => Kind::Bool(value),
        Raw::Number(value) => Kind::Number(value),
        Raw::Text(value) => Kind::Text(value),
        Raw::List(items) => Kind::List(items.into_iter().map(|item| place(item, text)).collect()),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key_span: bytes(key.defined, text),
                    key: key.value,
                    value: place(value, text),
                })
                .collect(),
        ),
    };
    Node { span, kind }
}

fn bytes(location: Location, text: &str) -> Range<usize> {
    let span = location.span();
    let number = |value: Option<u64>| usize::try_from(value.unwrap_or(0)).unwrap_or(usize::MAX);
    let start = floor(text, number(span.byte_offset()));
    let end = floor(text, start.saturating_add(number(span.byte_len())));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn every_place_is_exact() {
        let text =
            "ü: &x\n  list: [one, 'two', \"thr\\x65e\"]\n  empty:\nb: *x\nc: {<<: *x, d: |\n  t\n  }\n";
        let text = text.replace(", d: |\n  t\n  }", ", d: 7}");
        let tree = read(&text).unwrap();
        let at = |keys: &[&str]| &text[tree.place(&path(keys))];
        assert_eq!(at(&["ü"]), "ü");
        assert_eq!(at(&["ü", "list", "1"]), "'two'");
        assert_eq!(at(&["ü", "list", "2"]), "\"thr\\x65e\"");
        assert_eq!(at(&["ü", "empty"]), "empty");
        assert_eq!(at(&["c", "d"]), "7");
        assert_eq!(at(&["c", "list", "0"]), "one");
        assert_eq!(&text[tree.key_place(&path(&["c"]), "d")], "d");
    }

    #[test]
    fn hostile_documents_end_in_a_fault_soon() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 'b'..='i' {
            let below = char::from(level as u8 - 1);
            let nine = vec![format!("*{below}"); 9].join(", ");
            bomb = [bomb, format!("{level}: &{level} [{nine}]\n")].concat();
        }
        let long = (0..30_000).map(|key| format!("k{key}: 1\n")).collect::<Vec<_>>().concat();
        let nested =
            (0..10_000).map(|depth| format!("{}a:\n", " ".repeat(depth % 900))).collect::<Vec<_>>().concat();
        let hostile = [
            bomb,
            long,
            nested,
            "[".repeat(10_000),
            "{a: ".repeat(10_000),
            "- ".repeat(10_000),
            "a: &a [*a]".to_owned(),
            "a: *nowhere".to_owned(),
            "\0".to_owned(),
            "a: \u{1}".to_owned(),
            "a: 'open".to_owned(),
            "a:\n\tb: 1".to_owned(),
            "a: 1\n---\nb: 2\n".to_owned(),
            "? {a: b}\n: c\n".to_owned(),
            "a: .nan".to_owned(),
            "<<: 1".to_owned(),
        ];
        let started = std::time::Instant::now();
        for text in &hostile {
            let shown: String = text.chars().take(40).collect();
            let fault = read(text).expect_err(&shown);
            assert!(fault.span.end <= text.len() && !fault.message.is_empty());
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
