//! Pure. "Did you mean": the nearest of the words that would have been right.

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
}
