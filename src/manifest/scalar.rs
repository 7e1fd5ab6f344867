//! Pure. The scalars with a spelling of their own: names, image references, sizes, counts, restart policies.
//! Each type says in its schema what its conversion accepts, so that an editor and `validate` agree.

use schemars::JsonSchema;
use serde::Deserialize;

use super::project::Restart;

/// What a name may be, as a person reads it.
pub const NAME_RULE: &str = "a name has lower-case letters, digits, `-` and `_`, begins with a letter or digit, and has 63 characters at most";
/// The same as a pattern.
pub const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";

/// A name of a project, a session or a cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = NAME_PATTERN, "patternErrorMessage" = NAME_RULE))]
pub struct Name(pub String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = bytes.first().is_some_and(|first| letter(*first))
            && bytes.len() <= 63
            && bytes.iter().all(|byte| letter(*byte) || matches!(byte, b'-' | b'_'));
        if valid { Ok(Self(text)) } else { Err(NAME_RULE) }
    }
}

/// What an image reference may be, as a person reads it.
const IMAGE_RULE: &str =
    "an image reference looks like `debian:bookworm-slim` or `ghcr.io/acme/agents@sha256:…`";

/// A reference of a container image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$", "patternErrorMessage" = IMAGE_RULE))]
pub struct ImageReference(pub String);

impl TryFrom<String> for ImageReference {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = text.as_bytes();
        let valid = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.len() <= 512
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(byte));
        if valid { Ok(Self(text)) } else { Err(IMAGE_RULE) }
    }
}

/// A prompt's text. An empty one would vanish on the way, so there is none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("minLength" = 1))]
pub struct PromptText(pub String);

impl TryFrom<String> for PromptText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() { Err("an empty prompt") } else { Ok(Self(text)) }
    }
}

/// What a method may be, as a person reads it.
const METHOD_RULE: &str = "a method of HTTP in capitals, such as `GET`";

/// A method of HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = "^[A-Z][A-Z-]{0,31}$", "patternErrorMessage" = METHOD_RULE))]
pub struct Method(pub String);

impl TryFrom<String> for Method {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let letters = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let valid =
            letters && text.starts_with(|letter: char| letter.is_ascii_uppercase()) && text.len() <= 32;
        if valid { Ok(Self(text)) } else { Err(METHOD_RULE) }
    }
}

/// What a path of a URL may be, as a person reads it.
const PATH_RULE: &str = "a path begins with `/` and has no `//`, `.`, `..`, `?`, `#`, `%` or space; `*` and `**` stand for anything";

/// The same as a pattern: segments that are more than dots.
const PATH_PATTERN: &str = "^/([A-Za-z0-9_.~!$&'()*+,;=:@-]*[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9_.~!$&'()*+,;=:@-]*(/[A-Za-z0-9_.~!$&'()*+,;=:@-]*[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9_.~!$&'()*+,;=:@-]*)*/?)?$";

/// A path of a URL, or a pattern of several. What could be written in two ways is not taken: it would be matched in one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = PATH_PATTERN, "patternErrorMessage" = PATH_RULE))]
pub struct UrlPath(pub String);

impl TryFrom<String> for UrlPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        let rest = text.strip_prefix('/').ok_or(PATH_RULE)?;
        let segments = rest.strip_suffix('/').unwrap_or(rest).split('/');
        let segment = |segment: &str| !segment.trim_matches('.').is_empty() && segment.bytes().all(letter);
        if rest.is_empty() || segments.into_iter().all(segment) { Ok(Self(text)) } else { Err(PATH_RULE) }
    }
}

/// What a size may be, as a person reads it.
const SIZE_RULE: &str = "a size is a number of bytes, or one with `k`, `m`, `g` or `t`, such as `512m` or `4GiB` (powers of 1024)";

/// An amount of memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "SizeForm")]
#[schemars(inline)]
pub struct Size(#[schemars(with = "SizeForm")] pub u64);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum SizeForm {
    Bytes(#[schemars(extend("format" = null))] u64),
    Text(SizeText),
}

#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend(
    "pattern" = "^[0-9]{1,12}(\\.[0-9]{1,3})? ?([kKmMgGtT]([iI]?[bB])?|[bB])?$",
    "patternErrorMessage" = SIZE_RULE
))]
struct SizeText(String);

impl TryFrom<SizeForm> for Size {
    type Error = &'static str;

    fn try_from(form: SizeForm) -> Result<Self, Self::Error> {
        match form {
            SizeForm::Bytes(bytes) => Ok(Self(bytes)),
            SizeForm::Text(SizeText(text)) => bytes(&text).map(Self).ok_or(SIZE_RULE),
        }
    }
}

/// Reads `4GiB`, `512m`, `1.5 g`, `4096`; every unit is a power of 1024, as in Docker.
fn bytes(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text[number.len()..].to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 12) || !digits(fraction, 3) {
        return None;
    }
    let unit = 1024_u64.pow(power);
    let thousandths = format!("{fraction:0<3}").parse::<u64>().ok()?;
    let whole = whole.parse::<u64>().ok()?.saturating_mul(unit);
    Some(whole.saturating_add(thousandths.saturating_mul(unit) / 1000))
}

/// Processors.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(inline, extend("minimum" = 0.01, "maximum" = 10000, "format" = null))]
pub struct Cpus(pub f64);

impl TryFrom<f64> for Cpus {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        if (0.01..=10_000.0).contains(&number) { Ok(Self(number)) } else { Err("0.01 to 10000 processors") }
    }
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u64")]
#[schemars(inline, extend("minimum" = 1, "maximum" = 4_194_304, "format" = null))]
pub struct Pids(pub u32);

impl TryFrom<u64> for Pids {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        let valid = u32::try_from(number).ok().filter(|pids| (1..=4_194_304).contains(pids));
        valid.map(Self).ok_or("1 to 4194304 processes")
    }
}

/// What a restart policy may be, as a person reads it.
const RESTART_RULE: &str =
    "a restart policy is `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`";

/// A restart policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, !try_from)]
pub struct RestartText(#[schemars(with = "RestartForm")] pub Restart);

/// A restart policy as its schema shows it.
#[derive(JsonSchema)]
#[schemars(inline, untagged, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum RestartForm {
    Word(RestartWord),
    Times(RestartTimes),
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum RestartWord {
    /// Never.
    No,
    /// Whenever it ends by itself; one stopped with the engine's tools, when the engine or the daemon is started anew.
    Always,
    /// Whenever it ends by itself.
    UnlessStopped,
    /// After a failure; `on-failure:N` tries N times in a row.
    OnFailure,
}

#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = "^on-failure:[0-9]{1,9}$", "patternErrorMessage" = RESTART_RULE))]
#[expect(dead_code, reason = "only its schema is used")]
struct RestartTimes(String);

impl TryFrom<String> for RestartText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let restart = match text.as_str() {
            "no" => Restart::No,
            "always" => Restart::Always,
            "unless-stopped" => Restart::UnlessStopped,
            "on-failure" => Restart::OnFailure(0),
            other => Restart::OnFailure(times(other).ok_or(RESTART_RULE)?),
        };
        Ok(Self(restart))
    }
}

fn times(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("on-failure:")?;
    let valid = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if valid { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        let mebi = 1024 * 1024;
        for (text, expected) in [
            ("4096", 4096),
            ("512m", 512 * mebi),
            ("512 MB", 512 * mebi),
            ("4GiB", 4096 * mebi),
            ("1.5g", 1536 * mebi),
            ("0b", 0),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "m", "4 G iB", "-1", "1e3", "4x", "4ib", "1.", ".5g", "٤g", "1.5.5g"] {
            assert_eq!(bytes(text), None, "{text}");
        }
        assert_eq!(bytes("999999999999t"), Some(u64::MAX));
    }

    #[test]
    fn restart_policies_are_dockers() {
        let restart = |text: &str| RestartText::try_from(text.to_owned()).map(|restart| restart.0);
        assert_eq!(restart("on-failure:3"), Ok(Restart::OnFailure(3)));
        assert_eq!(restart("unless-stopped"), Ok(Restart::UnlessStopped));
        for text in ["", "On-failure", "on-failure:", "on-failure:-1", "on-failure:9999999999", "never"] {
            assert_eq!(restart(text), Err(RESTART_RULE), "{text}");
        }
    }

    #[test]
    fn names_are_safe_everywhere() {
        for text in ["a", "0", "a-b_c9", &"x".repeat(63)] {
            assert!(Name::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["", "-a", "_a", "A", "a.b", "a b", "ä", "a/b", &"x".repeat(64)] {
            assert!(Name::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
