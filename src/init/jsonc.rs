//! Pure. JSON with comments and trailing commas, as editors write their settings.

/// The same as plain JSON; what is no JSON stays none.
pub fn plain(text: &str) -> String {
    without_trailing_commas(&without_comments(text.trim_start_matches('\u{feff}')))
}

/// Copies a string from its opening quote to its closing one.
fn string(rest: &str) -> &str {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &rest[..=at],
            _ => {}
        }
    }
    rest
}

fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if first == '"' {
            let string = string(rest);
            plain.push_str(string);
            string.len()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            plain.push(' ');
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else {
            plain.push(first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    plain
}

fn without_trailing_commas(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if first == '"' { string(rest).len() } else { first.len_utf8() };
        let ends = first == ',' && rest[1..].trim_start().starts_with(['}', ']']);
        if !ends {
            plain.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_trailing_commas_go_and_strings_stay() {
        let text =
            "\u{feff}// a\n{\"u\": \"http://x/*,]*/\", /* b */ \"q\": \"\\\"//\", \"l\": [1, 2,\n],}// end";
        let read: serde_json::Value = serde_json::from_str(&plain(text)).unwrap();
        assert_eq!(read, serde_json::json!({"u": "http://x/*,]*/", "q": "\"//", "l": [1, 2]}));
    }

    proptest! {
        #[test]
        fn json_stays_what_it_is_and_nothing_panics(text in "[^\0]{0,40}", noise in r#"["\\/*,\]}a-cé\n]{0,60}"#) {
            let value = serde_json::json!({"a": [text.clone(), {text: null}]});
            let read: serde_json::Value = serde_json::from_str(&plain(&value.to_string())).unwrap();
            prop_assert_eq!(read, value);
            plain(&noise);
        }
    }
}
