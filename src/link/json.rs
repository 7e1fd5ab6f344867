//! As much JSON as a hook event needs: whether a text is one whole value, and how a text is written as a string.

/// How deep a value may nest; the daemon's reader goes as far as 127, and the message around it is one.
const DEEPEST: usize = 120;

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
            b'\\' => escape(rest)?,
            0..=0x1f => return None,
            _ => {}
        }
    }
}

/// What follows a backslash. Half a surrogate pair is no text, though JavaScript writes it.
fn escape(rest: &mut &[u8]) -> Option<()> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    match first {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
        b'u' => match unit(rest)? {
            0xd800..=0xdbff => {
                take(rest, b'\\')?;
                take(rest, b'u')?;
                matches!(unit(rest)?, 0xdc00..=0xdfff).then_some(())
            }
            0xdc00..=0xdfff => None,
            _ => Some(()),
        },
        _ => None,
    }
}

/// Four hexadecimal digits.
fn unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// A number, `true`, `false` or `null`.
fn atom(rest: &mut &[u8]) -> Option<()> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let (word, after) = rest.split_at(length);
    *rest = after;
    let word = std::str::from_utf8(word).ok()?;
    (matches!(word, "true" | "false" | "null") || is_number(word)).then_some(())
}

/// As JSON writes them: no bare point, no leading zero, none beyond what a double holds.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (digits, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && all(fraction)
        && all(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
        && word.parse::<f64>().is_ok_and(f64::is_finite)
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
