//! As much JSON as a hook event needs: whether a text is one whole value, and how a text is written as a string.

/// How deep a value may nest.
const DEEPEST: usize = 512;

/// Whether the text is exactly one JSON value, so that it can stand inside another without forging its fields.
pub fn is_value(text: &str) -> bool {
    let mut rest = text.trim_ascii().as_bytes();
    value(&mut rest, 0).is_some() && rest.trim_ascii().is_empty()
}

fn skip(rest: &mut &[u8]) {
    *rest = rest.trim_ascii_start();
}

fn take(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

fn value(rest: &mut &[u8], depth: usize) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match rest.first()? {
        b'{' => list(rest, b'{', b'}', |rest| {
            string(rest)?;
            skip(rest);
            take(rest, b':')?;
            skip(rest);
            value(rest, depth + 1)
        }),
        b'[' => list(rest, b'[', b']', |rest| value(rest, depth + 1)),
        b'"' => string(rest),
        _ => atom(rest),
    }
}

fn list(rest: &mut &[u8], open: u8, close: u8, item: impl Fn(&mut &[u8]) -> Option<()>) -> Option<()> {
    take(rest, open)?;
    skip(rest);
    if take(rest, close).is_some() {
        return Some(());
    }
    loop {
        item(rest)?;
        skip(rest);
        if take(rest, close).is_some() {
            return Some(());
        }
        take(rest, b',')?;
        skip(rest);
    }
}

fn string(rest: &mut &[u8]) -> Option<()> {
    take(rest, b'"')?;
    loop {
        let (first, after) = rest.split_first()?;
        *rest = after;
        match first {
            b'"' => return Some(()),
            b'\\' => *rest = rest.get(1..)?,
            0..=0x1f => return None,
            _ => {}
        }
    }
}

/// A number, `true`, `false` or `null`.
fn atom(rest: &mut &[u8]) -> Option<()> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let (word, after) = rest.split_at(length);
    *rest = after;
    let word = std::str::from_utf8(word).ok()?;
    let number = || word.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && word.parse::<f64>().is_ok();
    (matches!(word, "true" | "false" | "null") || number()).then_some(())
}

/// A text as a JSON string.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if (control as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
