//! Pure. Words for a shell; the only place that quotes.

/// One word for a shell, whatever is in it.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One word for a shell, bare where no shell could read it otherwise: for people to read.
pub fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+,-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { quote(text) }
}

/// A command of several lines: each group of words on its own, the later ones indented.
pub fn command(groups: &[Vec<String>]) -> String {
    let line = |group: &Vec<String>| group.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ");
    format!("{}\n", groups.iter().map(line).collect::<Vec<_>>().join(" \\\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn printed(shell: &str, script: &str) -> String {
        let output = Command::new(shell).args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_quoted_word_comes_back_byte_for_byte(text in "[^\0]{0,200}") {
            prop_assert_eq!(&printed("bash", &format!("printf %s {}", quote(&text))), &text);
            prop_assert_eq!(&printed("sh", &format!("printf %s {}", word(&text))), &text);
        }

        #[test]
        fn a_command_is_read_as_the_words_that_it_was_made_of(words in "[^\0]{0,9}(\n[^\0]{0,9}){0,5}") {
            let words: Vec<String> = words.split('\n').map(String::from).collect();
            let groups = [vec!["printf".to_owned(), "%s\\n".to_owned()], words.clone()];
            prop_assert_eq!(printed("sh", &command(&groups)), format!("{}\n", words.join("\n")));
        }
    }

    #[test]
    fn only_what_no_shell_can_misread_is_bare() {
        for text in ["/a/b-c.d", "1:2", "a@sha256:0", "60%", "a,b"] {
            assert_eq!(word(text), text);
        }
        for text in ["", "~", "a=b", "{a,b}", "a b", "$HOME", "*", "a\nb", "#a", "!a", "ä"] {
            assert_eq!(word(text), format!("'{text}'"));
        }
    }
}
