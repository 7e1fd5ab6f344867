//! Pure. What holds for every manifest before its keys are looked at: no key twice, no NUL anywhere, and
//! numbers and booleans taken as written where only text makes sense (environment, labels, arguments).

use std::collections::HashMap;

use super::check::MAX_FOUND;
use super::diagnostic::{Fault, quoted};
use super::tree::{Kind, Node};

/// Readies a tree in place and returns what is wrong with it in itself.
pub fn prepare(tree: &mut Node, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    check(tree, &mut faults);
    faults.truncate(MAX_FOUND);
    spell(tree, text, &mut Vec::new());
    faults
}

fn check(node: &Node, faults: &mut Vec<Fault>) {
    match &node.kind {
        Kind::Text(value) if value.contains('\0') => faults.push(nul(node.span.clone())),
        Kind::List(items) => items.iter().for_each(|item| check(item, faults)),
        Kind::Map(entries) => {
            let mut seen = HashMap::new();
            for entry in entries {
                if entry.key.contains('\0') {
                    faults.push(nul(entry.key_span.clone()));
                }
                let first = seen.entry(entry.key.as_str()).or_insert(&entry.key_span);
                if **first != entry.key_span {
                    let message = format!("the key {} stands here twice", quoted(&entry.key));
                    let fault = Fault::new(entry.key_span.clone(), message).help("keep one of the two");
                    faults.push(fault.other((*first).clone(), "first here"));
                }
                check(&entry.value, faults);
            }
        }
        _ => {}
    }
}

fn nul(span: std::ops::Range<usize>) -> Fault {
    Fault::new(span, "a NUL byte").help("no argument, path or variable can hold one; remove it")
}

/// Turns scalars into the text they were written as, at the places where that is what they are for.
fn spell(node: &mut Node, text: &str, path: &mut Vec<String>) {
    match &mut node.kind {
        Kind::Bool(_) | Kind::Number(_) if is_text(path) => {
            if let Some(written) = text.get(node.span.clone()).filter(|written| !written.is_empty()) {
                node.kind = Kind::Text(written.trim().to_owned());
            }
        }
        Kind::List(items) => {
            for item in items {
                path.push("[]".to_owned());
                spell(item, text, path);
                path.pop();
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                path.push(entry.key.clone());
                spell(&mut entry.value, text, path);
                path.pop();
            }
        }
        _ => {}
    }
}

pub(super) fn is_text(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let setting = match path.as_slice() {
        ["sessions", _, rest @ ..] => rest,
        all => all,
    };
    matches!(setting, ["environment" | "labels", _] | ["build", "args", _] | ["agent", "args", "[]"])
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    #[test]
    fn every_repeated_key_is_told() {
        let text = "a: 1\nb: {c: 1, c: 2, c: 3}\na: 2\n";
        let faults = prepare(&mut yaml::read(text).unwrap(), text);
        let places: Vec<&str> = faults.iter().map(|fault| &text[fault.span.clone()]).collect();
        assert_eq!(places, ["c", "c", "a"]);
    }

    #[test]
    fn numbers_stay_as_they_were_written_in_the_environment() {
        let text =
            "environment: {VERSION: 1.10, ON: True, MODE: 0o17}\nsessions: {a: {agent: {args: [5, 1e3]}}}\n";
        let mut tree = yaml::read(text).unwrap();
        assert!(prepare(&mut tree, text).is_empty());
        let expected = serde_json::json!({
            "environment": {"VERSION": "1.10", "ON": "True", "MODE": "0o17"},
            "sessions": {"a": {"agent": {"args": ["5", "1e3"]}}},
        });
        assert_eq!(tree.to_value(), expected);
    }

    #[test]
    fn a_nul_is_a_fault_wherever_it_hides() {
        let text = "prompt: \"a\\0b\"\nenvironment: {\"K\\0\": v}\n";
        assert_eq!(prepare(&mut yaml::read(text).unwrap(), text).len(), 2);
    }
}
