//! Pure. What becomes of a request: the real value goes in for a placeholder, or where nothing stands, only where the
//! credential belongs; a placeholder that goes elsewhere is refused. URLs and bodies are never looked at.

use super::binding::{Binding, Fit, MARK, Shape};
use crate::proxy::judge::Asked;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};

/// Parts of the names of headers that open something.
const OPENING: [&str; 8] = ["auth", "token", "key", "secret", "cookie", "credential", "password", "session"];

/// Base64 as the most generous servers read it.
const GENEROUS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It passes as it is.
    Pass,
    /// The value of this binding's credential is filled in.
    Fill {
        /// Which binding.
        binding: usize,
        /// Each replaces all values of its name.
        headers: Vec<(HeaderName, Shape)>,
    },
    /// It is refused.
    Refuse(Misplaced),
}

/// A placeholder where it does not belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The key of the manifest, such as `credentials.github`.
    pub rule: String,
    /// Where it stands, where it does.
    pub place: String,
    /// What is wrong.
    pub says: String,
    /// What to change.
    pub help: String,
}

/// Holds the bindings of a session against a request.
pub fn swap(bindings: &[Binding], asked: &Asked<'_>) -> Swap {
    // A tunnel's own head goes nowhere.
    if asked.method == Method::CONNECT {
        return Swap::Pass;
    }
    let mut filled: Option<usize> = None;
    let mut headers: Vec<(HeaderName, Shape)> = Vec::new();
    for (name, value) in asked.headers {
        if !opens(bindings, name) || !holds_mark(value) {
            continue;
        }
        let alone = asked.headers.get_all(name).iter().count() == 1;
        let found = if alone { found(bindings, asked, name, value) } else { None };
        match found {
            Some((binding, shape)) if filled.is_none_or(|filled| same(bindings, filled, binding)) => {
                filled = Some(filled.unwrap_or(binding));
                headers.push((name.clone(), shape));
            }
            _ => return Swap::Refuse(misplaced(bindings, asked, name, value)),
        }
    }
    match filled {
        Some(binding) => Swap::Fill { binding, headers },
        None => vacant(bindings, asked),
    }
}

fn same(bindings: &[Binding], one: usize, other: usize) -> bool {
    bindings[one].credential == bindings[other].credential
}

/// The credential of a host is put where nothing stands.
fn vacant(bindings: &[Binding], asked: &Asked<'_>) -> Swap {
    let here = |binding: &Binding| {
        binding.sets && binding.fit(asked) == Fit::Here && binding.is_vacant(asked.headers)
    };
    let Some(binding) = bindings.iter().position(here) else { return Swap::Pass };
    let of = &bindings[binding];
    match (HeaderName::try_from(&of.header), Shape::of(&of.value)) {
        (Ok(name), Some(shape)) => Swap::Fill { binding, headers: vec![(name, shape)] },
        _ => Swap::Pass,
    }
}

fn opens(bindings: &[Binding], name: &HeaderName) -> bool {
    OPENING.iter().any(|part| name.as_str().contains(part))
        || bindings.iter().any(|binding| binding.header == name.as_str())
}

/// The binding whose placeholder a header is, and the shape around it.
fn found(
    bindings: &[Binding],
    asked: &Asked<'_>,
    name: &HeaderName,
    value: &HeaderValue,
) -> Option<(usize, Shape)> {
    let (placeholder, shape) = read(value)?;
    let fits = |binding: &Binding| {
        (*name == AUTHORIZATION || binding.header == name.as_str())
            && binding.placeholders.contains(&placeholder)
            && binding.fit(asked) == Fit::Here
    };
    bindings.iter().position(fits).map(|binding| (binding, shape))
}

/// A header's value as a placeholder and what is around it: `X`, `SCHEME X`, or the password of `Basic`.
fn read(value: &HeaderValue) -> Option<(String, Shape)> {
    let text = value.to_str().ok()?;
    let Some((scheme, rest)) = text.split_once(' ') else {
        return Some((text.to_owned(), Shape::Text(String::new(), String::new())));
    };
    let rest = rest.trim();
    if !scheme.eq_ignore_ascii_case("basic") {
        return Some((rest.to_owned(), Shape::Text(format!("{scheme} "), String::new())));
    }
    let pair = GENEROUS.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let password = String::from_utf8(pair[colon + 1..].to_vec()).ok()?;
    (!contains_mark(&pair[..colon])).then(|| (password, Shape::Basic(pair[..colon].to_vec())))
}

/// Whether one of our placeholders is in a header, in the open or in `Basic`.
fn holds_mark(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    contains_mark(bytes)
        || bytes
            .split(|byte| matches!(byte, b' ' | b',' | b';' | b'='))
            .any(|word| GENEROUS.decode(word).is_ok_and(|inside| contains_mark(&inside)))
}

fn contains_mark(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|window| window.eq_ignore_ascii_case(MARK.as_bytes()))
}

fn misplaced(bindings: &[Binding], asked: &Asked<'_>, name: &HeaderName, value: &HeaderValue) -> Misplaced {
    let placeholder = read(value).map(|(placeholder, _)| placeholder).unwrap_or_default();
    let its = |binding: &&Binding| binding.placeholders.contains(&placeholder);
    let there = bindings.iter().filter(its).find(|binding| binding.fit(asked) != Fit::Elsewhere);
    let Some(binding) = there.or_else(|| bindings.iter().find(its)) else {
        return Misplaced {
            rule: "credentials".to_owned(),
            place: String::new(),
            says: format!("without the placeholder that `{name}` holds: no such credential is lent"),
            help: "`credentials: {github: read-only}` lends one, and so on by name".to_owned(),
        };
    };
    let says = match binding.fit(asked) {
        Fit::Forbidden => "not lent to such a request: its access, methods or paths leave it out".to_owned(),
        Fit::Here => format!("not lent in the header `{name}`, or not in this form"),
        Fit::Elsewhere if asked.host == binding.host => {
            format!("lent to `https://{}:{}` alone", binding.host, binding.port)
        }
        Fit::Elsewhere => format!("not lent to `{}`, but to `{}`", asked.host, binding.host),
    };
    Misplaced {
        rule: format!("credentials.{}", binding.credential),
        place: binding.place.clone(),
        says,
        help: "a placeholder is worth nothing: send it where its credential belongs, or change that rule"
            .to_owned(),
    }
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
