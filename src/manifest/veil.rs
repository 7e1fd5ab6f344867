//! Pure. What a message says of a value that variables gave: what is written there, and not the value, which may be a
//! secret that nobody has been asked about yet. Messages end in terminals and in the logs of builds.

use std::ops::Range;

use super::diagnostic::{Fault, escaped};
use super::tree::{Kind, Node};

/// A scalar that variables took part in.
struct Veiled<'a> {
    span: Range<usize>,
    /// The same as a message quotes it.
    written: String,
    /// What became of it, as messages spell it, in lower case.
    value: String,
    /// As it stands in the file.
    raw: &'a str,
}

/// Takes the values of variables out of the faults of some files, each with its text and its tree, variables in place.
pub fn veil(faults: &mut [(usize, Fault)], files: &[(&str, &Node)]) {
    let veiled: Vec<Vec<Veiled<'_>>> = files
        .iter()
        .map(|(text, tree)| {
            let mut found = Vec::new();
            collect(tree, text, &mut found);
            found
        })
        .collect();
    for (text, fault) in faults {
        let mut places = vec![(*text, fault.span.clone())];
        places.extend(fault.other.iter().map(|other| (other.text.unwrap_or(*text), other.span.clone())));
        for (text, span) in places {
            let here = veiled.get(text).into_iter().flatten();
            for value in here.filter(|value| value.span.start < span.end && span.start < value.span.end) {
                fault.message = value.hide(&fault.message);
                fault.help = fault.help.take().map(|help| value.hide(&help));
            }
        }
    }
}

fn collect<'a>(node: &Node, text: &'a str, found: &mut Vec<Veiled<'a>>) {
    let value = match &node.kind {
        Kind::Text(value) => value.clone(),
        Kind::Number(number) => number.to_string(),
        Kind::Bool(value) => value.to_string(),
        Kind::Null => return,
        Kind::List(items) => return items.iter().for_each(|item| collect(item, text, found)),
        Kind::Map(entries) => return entries.iter().for_each(|entry| collect(&entry.value, text, found)),
    };
    let raw = text.get(node.span.clone()).unwrap_or_default();
    if raw.contains("${") && !value.is_empty() {
        let written = super::diagnostic::quoted(raw.trim_matches(['"', '\'']));
        let value = escaped(&value).to_lowercase();
        found.push(Veiled { span: node.span.clone(), written, value, raw });
    }
}

impl Veiled<'_> {
    /// A message with what is written in the place of each quoted piece of the value.
    fn hide(&self, message: &str) -> String {
        // A value with a backtick would end its own quotation: of such a message nothing is left.
        if self.value.contains('`') {
            return format!("the value that {} stands for does not fit here", self.written);
        }
        // A number is told without quotes, at the begin.
        let number = message.strip_prefix(&self.value).filter(|rest| rest.starts_with(' '));
        let message = number.map_or(message.to_owned(), |rest| format!("{}{rest}", self.written));
        let pieces = message.split('`').enumerate().map(|(number, piece)| {
            let quoted = number % 2 == 1;
            if quoted && self.holds(piece) {
                self.written.trim_matches('`').to_owned()
            } else {
                piece.to_owned()
            }
        });
        pieces.collect::<Vec<_>>().join("`")
    }

    /// Whether a quoted piece is some of the value, or has it inside, and does not stand in the file anyway.
    fn holds(&self, piece: &str) -> bool {
        let bare = piece.trim_end_matches('…').to_lowercase();
        let some = !bare.is_empty() && (self.value.contains(&bare) || bare.contains(&self.value));
        some && !self.raw.to_lowercase().contains(&bare)
    }
}
