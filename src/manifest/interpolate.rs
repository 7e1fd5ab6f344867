//! Pure. `${NAME}` in the values of a manifest, in compose's forms: `${NAME}`, `${NAME:-default}`, `${NAME-default}`,
//! `${NAME:?why}`, `${NAME?why}`, `${NAME:+instead}`, `${NAME+instead}`, nested, and `$$` for a dollar sign.
//! A `$` before anything else is itself: prompts are full of shell.

use std::collections::BTreeSet;

use serde_json::Number;

use super::diagnostic::{Fault, quoted};
use super::tree::{Kind, Node};

/// How deep one may stand in another.
const MAX_DEPTH: usize = 16;
/// Bytes that all values of a manifest may have after this.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Variables, each with a setting that takes it, such as `environment`.
pub type Variables = BTreeSet<(String, String)>;

/// Puts variables in place, in every value and no key. Answers what is wrong and which variables were found, each
/// with the setting that took it.
pub fn interpolate(
    tree: &mut Node,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> (Vec<Fault>, Variables) {
    let mut expand =
        Expand { text, lookup, faults: Vec::new(), used: Variables::new(), taker: String::new(), bytes: 0 };
    expand.node(tree, &mut Vec::new());
    (expand.faults, expand.used)
}

struct Expand<'a> {
    text: &'a str,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<Fault>,
    used: Variables,
    /// The setting whose value is read.
    taker: String,
    bytes: usize,
}

impl Expand<'_> {
    fn node(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.kind {
            Kind::Text(value) if value.contains('$') => {
                self.taker = taker(path);
                let mut reading = Reading { rest: value, outer: self, depth: 0 };
                match reading.whole() {
                    Ok(expanded) => {
                        let plain = is_plain(self.text, node.span.start) && !super::prepare::is_text(path);
                        node.kind =
                            if plain && expanded != *value { typed(expanded) } else { Kind::Text(expanded) };
                    }
                    Err((message, help)) => {
                        self.faults.push(Fault::new(node.span.clone(), message).help(help));
                        // It says nothing more, so that one fault is told once.
                        let is_text = super::prepare::is_text(path);
                        node.kind = if is_text { Kind::Text(String::new()) } else { Kind::Null };
                    }
                }
            }
            Kind::List(items) => {
                for item in items {
                    path.push("[]".to_owned());
                    self.node(item, path);
                    path.pop();
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    path.push(entry.key.clone());
                    self.node(&mut entry.value, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// The setting that a path leads to, of whichever session.
fn taker(path: &[String]) -> String {
    let of_session = if path.first().is_some_and(|key| key == "sessions") { 2 } else { 0 };
    // A session that is a text alone is its prompt.
    path.get(of_session).cloned().unwrap_or_else(|| "prompt".to_owned())
}

/// Whether the scalar that starts here has no quotes and is no block.
fn is_plain(text: &str, start: usize) -> bool {
    !matches!(text.as_bytes().get(start), None | Some(b'"' | b'\'' | b'|' | b'>'))
}

/// What a plain scalar of this text is: `cpus: ${CPUS}` is a number.
fn typed(text: String) -> Kind {
    match text.as_str() {
        "" | "~" | "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        other => match other.parse::<Number>() {
            Ok(number) => Kind::Number(number),
            Err(_) => Kind::Text(text),
        },
    }
}

type Refusal = (String, String);

/// One value, read from its start to its end.
struct Reading<'a, 'b, 'c> {
    rest: &'a str,
    outer: &'b mut Expand<'c>,
    depth: usize,
}

impl Reading<'_, '_, '_> {
    fn whole(&mut self) -> Result<String, Refusal> {
        let expanded = self.until(false)?;
        self.outer.bytes += expanded.len();
        if self.outer.bytes > MAX_BYTES {
            let message = "the variables make the manifest larger than 4 MiB".to_owned();
            return Err((message, "name large texts by `prompt: {file: …}`".to_owned()));
        }
        Ok(expanded)
    }

    /// Reads text up to the end, or inside braces up to the closing one, which stays.
    fn until(&mut self, inside: bool) -> Result<String, Refusal> {
        let mut expanded = String::new();
        loop {
            let stop = |letter: char| letter == '$' || (inside && letter == '}');
            let (before, rest) = self.rest.split_at(self.rest.find(stop).unwrap_or(self.rest.len()));
            expanded.push_str(before);
            self.rest = rest;
            if let Some(rest) = self.rest.strip_prefix("$$") {
                expanded.push('$');
                self.rest = rest;
            } else if let Some(rest) = self.rest.strip_prefix("${") {
                self.rest = rest;
                expanded.push_str(&self.variable()?);
            } else if let Some(rest) = self.rest.strip_prefix('$') {
                expanded.push('$');
                self.rest = rest;
            } else {
                return Ok(expanded);
            }
            if expanded.len() > MAX_BYTES {
                return Err(("a value grows larger than 4 MiB".to_owned(), "use fewer variables".to_owned()));
            }
        }
    }

    /// Reads what stands between `${` and `}`.
    fn variable(&mut self) -> Result<String, Refusal> {
        self.depth += 1;
        let name_end = self
            .rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(name_end);
        if name.is_empty()
            || name.starts_with(|letter: char| letter.is_ascii_digit())
            || self.depth > MAX_DEPTH
        {
            return Err(malformed(self.rest));
        }
        let (operator, rest) = operator(rest).ok_or_else(|| malformed(self.rest))?;
        self.rest = rest;
        let word = if operator.is_empty() { String::new() } else { self.until(true)? };
        self.rest = self.rest.strip_prefix('}').ok_or_else(unclosed)?;
        self.depth -= 1;
        self.choose(name, operator, word)
    }

    fn choose(&mut self, name: &str, operator: &str, word: String) -> Result<String, Refusal> {
        let value = (self.outer.lookup)(name);
        if value.is_some() {
            let taker = self.outer.taker.clone();
            self.outer.used.insert((name.to_owned(), taker));
        }
        // With a colon, what is empty counts as not set.
        let set = value.filter(|value| !(operator.starts_with(':') && value.is_empty()));
        match (set, operator.trim_start_matches(':')) {
            (Some(_), "+") | (None, "-") => Ok(word),
            (Some(value), _) => Ok(value),
            (None, "+") => Ok(String::new()),
            (None, "?") => {
                let why = if word.is_empty() { String::new() } else { format!(": {}", quoted(&word)) };
                Err((format!("the variable {} must be set{why}", quoted(name)), set_it(name)))
            }
            (None, _) => {
                let help = format!("{}; `${{{name}:-}}` is empty where it is not set", set_it(name));
                Err((format!("the variable {} is not set", quoted(name)), help))
            }
        }
    }
}

fn set_it(name: &str) -> String {
    format!("set {} in the environment or in `.env` beside this file", quoted(name))
}

/// What follows a name: nothing, or the operator of its form.
fn operator(rest: &str) -> Option<(&'static str, &str)> {
    if rest.starts_with('}') {
        return Some(("", rest));
    }
    if rest.is_empty() {
        return Some(("", rest));
    }
    [":-", ":?", ":+", "-", "?", "+"]
        .into_iter()
        .find_map(|operator| rest.strip_prefix(operator).map(|rest| (operator, rest)))
}

fn malformed(rest: &str) -> Refusal {
    let shown: String = format!("${{{rest}").chars().take(40).collect();
    let help = "`${NAME}`, `${NAME:-default}` and `${NAME:?why}` are known; `$${` is the text `${` itself";
    (format!("{} is no variable", quoted(&shown)), help.to_owned())
}

fn unclosed() -> Refusal {
    ("a `${` without its `}`".to_owned(), "`$${` is the text `${` itself".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("a".to_owned()),
            "TWO" => Some("2".to_owned()),
            "EMPTY" => Some(String::new()),
            "SHELL" => Some("${A} $(id)".to_owned()),
            _ => None,
        }
    }

    fn expand(text: &str) -> Result<serde_json::Value, String> {
        let mut tree = yaml::read(text).unwrap();
        let (faults, _) = interpolate(&mut tree, text, &lookup);
        match faults.into_iter().next() {
            Some(fault) => Err(fault.message),
            None => Ok(tree.to_value()),
        }
    }

    fn text(value: &str) -> Result<String, String> {
        let written = serde_json::to_string(value).unwrap();
        expand(&written).map(|value| value.as_str().unwrap().to_owned())
    }

    #[test]
    fn every_form_expands_as_compose_has_it() {
        for (written, expected) in [
            ("${A}", "a"),
            ("x${A}y${A}", "xaya"),
            ("${A:-d}${EMPTY:-d}${NONE:-d}", "add"),
            ("${A-d}${EMPTY-d}${NONE-d}", "ad"),
            ("${A:+i}${EMPTY:+i}${NONE:+i}", "i"),
            ("${A+i}${EMPTY+i}${NONE+i}", "ii"),
            ("${A:?why}${EMPTY?why}", "a"),
            ("${NONE:-${A:-b}}", "a"),
            ("${NONE:-${NOR:-b}c}d", "bcd"),
            ("${NONE:-$$x}", "$x"),
            ("${NONE:-}", ""),
            ("$${A}", "${A}"),
            ("$$$${A}", "$${A}"),
            ("$A $1 $(pwd) $", "$A $1 $(pwd) $"),
            ("a}b{c", "a}b{c"),
            // What a variable holds is never read again.
            ("${SHELL}", "${A} $(id)"),
            ("${NONE:-ü🦀}", "ü🦀"),
        ] {
            assert_eq!(text(written).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for (written, expected) in [
            ("${NONE}", "the variable `NONE` is not set"),
            ("${NONE:?say it}", "the variable `NONE` must be set: `say it`"),
            ("${EMPTY:?}", "the variable `EMPTY` must be set"),
            ("${A", "a `${` without its `}`"),
            ("${A:-x", "a `${` without its `}`"),
            ("${}", "`${}` is no variable"),
            ("${1}", "`${1}` is no variable"),
            ("${a.b}", "`${a.b}` is no variable"),
            ("${A:x}", "`${A:x}` is no variable"),
            ("${ A }", "`${ A }` is no variable"),
        ] {
            assert_eq!(text(written), Err(expected.to_owned()), "{written}");
        }
        let deep = "${A:-".repeat(40) + &"}".repeat(40);
        assert!(text(&deep).is_err());
    }

    #[test]
    fn plain_scalars_take_the_type_of_what_they_become() {
        let value =
            expand("cpus: ${TWO}\nquoted: \"${TWO}\"\nempty: ${EMPTY}\nenvironment:\n  V: ${TWO}\n${A}: 1\n");
        let expected = serde_json::json!(
            {"cpus": 2, "quoted": "2", "empty": null, "environment": {"V": "2"}, "${A}": 1});
        assert_eq!(value, Ok(expected));
    }

    #[test]
    fn growth_is_bounded() {
        let large = |_: &str| Some("x".repeat(128 * 1024));
        let written = format!("{{prompt: \"{}\"}}", "${A}".repeat(200_000));
        let mut tree = yaml::read(&written).unwrap();
        assert_eq!(interpolate(&mut tree, &written, &large).0.len(), 1);
    }
}
