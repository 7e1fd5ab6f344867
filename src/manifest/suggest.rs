//! Pure. "Did you mean": the nearest of the words that would have been right, or the one that others call otherwise.

/// How alike two words must be to be suggested.
const ALIKE: f64 = 0.75;

/// The word nearest to what was written, when one is near.
pub fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: String = written.chars().take(64).collect();
    let written = written.to_lowercase();
    let written = written.replace('-', "_");
    words
        .into_iter()
        // Words of very different lengths are not alike, and need no look at their letters.
        .filter(|word| word.len().abs_diff(written.len()) <= 1 + written.len().max(word.len()) / 2)
        .map(|word| (strsim::damerau_levenshtein(&written, &word.replace('-', "_")), word))
        .filter(|(distance, word)| {
            let longest = written.chars().count().max(word.len()).max(1);
            #[expect(clippy::cast_precision_loss, reason = "both are lengths of short words")]
            let likeness = 1.0 - *distance as f64 / longest as f64;
            likeness >= ALIKE || (*distance == 1 && longest > 2)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Words of other tools, with ours.
const OTHERS: [(&str, &str); 22] = [
    ("acceptedits", "accept-edits"),
    ("agents", "sessions"),
    ("bypasspermissions", "bypass"),
    ("claude_code", "claude"),
    ("closed", "sealed"),
    ("default", "ask"),
    ("env", "environment"),
    ("exec", "batch"),
    ("gpt", "codex"),
    ("global", "shared"),
    ("headless", "batch"),
    ("if_not_present", "missing"),
    ("ifnotpresent", "missing"),
    ("mounts", "volumes"),
    ("none", "sealed"),
    ("openai", "codex"),
    ("print", "batch"),
    ("repo", "repository"),
    ("tasks", "sessions"),
    ("user", "shared"),
    ("workspaces", "sessions"),
    ("yolo", "bypass"),
];

/// Our word for another tool's, when it is one of the given.
pub fn known_as<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    let mut ours = OTHERS.iter().filter(|(other, _)| *other == written);
    ours.find_map(|(_, ours)| words.iter().copied().find(|word| word == ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_not() {
        let words = ["environment", "volumes", "image", "cpus", "pull_policy"];
        assert_eq!(nearest("enviroment", words), Some("environment"));
        assert_eq!(nearest("pull-policy", words), Some("pull_policy"));
        assert_eq!(nearest("Image", words), Some("image"));
        assert_eq!(nearest("cpu", words), Some("cpus"));
        assert_eq!(nearest("ports", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn words_of_other_tools_are_understood() {
        assert_eq!(known_as("IfNotPresent", &["always", "missing"]), Some("missing"));
        assert_eq!(known_as("if-not-present", &["always"]), None);
        assert_eq!(known_as("env", &["environment"]), Some("environment"));
    }
}
