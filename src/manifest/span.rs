//! Pure. Amounts and spans of time as a manifest has them.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

/// The largest amount.
const MOST: u64 = 1_000_000_000_000_000;

/// An amount of what is counted: none of it is no limit but a session that can do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u64")]
#[schemars(inline, extend("minimum" = 1, "maximum" = MOST, "format" = null))]
pub struct Amount(pub u64);

impl TryFrom<u64> for Amount {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if (1..=MOST).contains(&number) { Ok(Self(number)) } else { Err("1 to 1000000000000000") }
    }
}

/// What a span of time may be, as a person reads it.
const SPAN_RULE: &str = "a time has a number and a unit, such as `90s`, `30m`, `2h`, `1h30m` or `2d`";

/// The same as a pattern: each unit once at most, the largest first, and none of it nothing.
const SPAN_PATTERN: &str =
    "^(?=[1-9])([1-9][0-9]{0,3}d)?([1-9][0-9]{0,4}h)?([1-9][0-9]{0,5}m)?([1-9][0-9]{0,6}s)?$";

/// The units: letter, seconds, and how many digits there may be before it.
const UNITS: [(char, u64, usize); 4] = [('d', 86_400, 4), ('h', 3_600, 5), ('m', 60, 6), ('s', 1, 7)];

/// A span of time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, !try_from)]
pub struct Span(#[schemars(with = "SpanText")] pub u64);

#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = SPAN_PATTERN, "patternErrorMessage" = SPAN_RULE))]
#[expect(dead_code, reason = "only its schema is used")]
struct SpanText(String);

impl TryFrom<String> for Span {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        seconds(&text).map(Self).ok_or(SPAN_RULE)
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (mut rest, mut sum) = (text, 0);
    for (unit, seconds, digits) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let valid = (1..=digits).contains(&number.len())
            && !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit());
        if !valid {
            return None;
        }
        sum += number.parse::<u64>().ok()? * seconds;
        rest = after;
    }
    (rest.is_empty() && sum > 0).then_some(sum)
}

/// A span of so many seconds, as a manifest has it.
pub fn written(seconds: u64) -> String {
    let (mut rest, mut text) = (seconds, String::new());
    for (unit, length, digits) in UNITS {
        // What is more than its digits hold is left to the next unit, so that it can be read again.
        let most = 10_u64.pow(u32::try_from(digits).unwrap_or(1)) - 1;
        let count = (rest / length).min(most);
        if count > 0 {
            // Writing to memory cannot fail.
            let _ = write!(text, "{count}{unit}");
            rest -= count * length;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units_and_written_in_one_way() {
        for (text, expected, again) in [
            ("90s", 90, "1m30s"),
            ("30m", 1_800, "30m"),
            ("2h", 7_200, "2h"),
            ("1h30m", 5_400, "1h30m"),
            ("90m", 5_400, "1h30m"),
            ("2d1s", 172_801, "2d1s"),
            ("9999d99999h999999m9999999s", 1_293_909_939, "9999d99999h999999m9999999s"),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
            assert_eq!(written(expected), again);
        }
        for text in [
            "", "0s", "90", "s", "1h1h", "1m1h", "-1s", "1.5h", "1 h", "1H", "00001s", "1h0m", "٤s", "99999d",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
