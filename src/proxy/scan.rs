//! Pure. Finds whole numbers in a JSON text that goes by in pieces. Nothing of the text is kept but where it is.

/// Containers inside of each other; a text with more of them is given up.
const DEEPEST: u32 = 128;
/// As many keys of the way to a number are known; what lies deeper is passed over.
pub const WAY: usize = 4;
/// The longest key that is told from others.
const LONGEST: usize = 32;
/// The largest number that is believed.
const LARGEST: u64 = 1_000_000_000_000;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// Nothing: a token may begin.
    #[default]
    Between,
    /// A string; after a backslash the next byte is a part of it, whatever it is.
    Text { escaped: bool },
    /// A number; `None` once it is none that is believed.
    Number(Option<u64>),
    /// `true`, `false` or `null`.
    Word,
    /// What is no JSON, or is over.
    Lost,
}

/// What may come between tokens, beside the end of the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Due {
    Key,
    Colon,
    #[default]
    Value,
    Comma,
}

/// A place in a JSON text.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    within: Within,
    depth: u32,
    /// A bit for each open container: whether it is an object.
    objects: u128,
    /// The keys that lead here, as far as they are known.
    way: [Option<&'static str>; WAY],
    due: Due,
    /// The beginning of the key that is being read, and how long it is.
    key: [u8; LONGEST],
    length: usize,
}

impl Scan {
    /// Takes the next byte; `found` is told each number whose way has only keys of `known`.
    pub fn take(&mut self, byte: u8, known: &[&'static str], found: &mut impl FnMut(&[&'static str], u64)) {
        match self.within {
            Within::Between => self.token(byte),
            Within::Text { escaped: true } => {
                // Nobody writes a key of ours with escapes.
                self.length = LONGEST + 1;
                self.within = Within::Text { escaped: false };
            }
            Within::Text { escaped: false } => self.text(byte, known),
            Within::Number(number) => {
                self.within = match byte {
                    b'0'..=b'9' => Within::Number(number.and_then(|number| longer(number, byte))),
                    b'.' | b'e' | b'E' | b'+' | b'-' => Within::Number(None),
                    _ => Within::Between,
                };
                if self.within == Within::Between {
                    self.tell(number, found);
                    self.token(byte);
                }
            }
            Within::Word if byte.is_ascii_lowercase() => {}
            Within::Word => {
                self.within = Within::Between;
                self.token(byte);
            }
            Within::Lost => {}
        }
    }

    fn token(&mut self, byte: u8) {
        self.within = match (byte, self.due) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => return,
            (b'}' | b']', _) if self.may_close(byte) => return self.close(),
            (b',', Due::Comma) if self.depth > 0 => {
                self.due = if self.in_object() { Due::Key } else { Due::Value };
                return;
            }
            (b':', Due::Colon) => {
                self.due = Due::Value;
                return;
            }
            (b'"', Due::Key) => {
                self.length = 0;
                Within::Text { escaped: false }
            }
            (b'{' | b'[', Due::Value) => return self.open(byte == b'{'),
            (b'"', Due::Value) => Within::Text { escaped: false },
            (b'0'..=b'9', Due::Value) => Within::Number(Some(u64::from(byte - b'0'))),
            (b'-', Due::Value) => Within::Number(None),
            (b't' | b'f' | b'n', Due::Value) => Within::Word,
            _ => Within::Lost,
        };
        if self.due == Due::Value {
            self.due = Due::Comma;
        }
    }

    fn may_close(&self, byte: u8) -> bool {
        let object = self.in_object();
        let cut = if object { Due::Value } else { Due::Colon };
        self.depth > 0 && object == (byte == b'}') && self.due != cut && self.due != Due::Colon
    }

    fn text(&mut self, byte: u8, known: &[&'static str]) {
        match byte {
            b'\\' => self.within = Within::Text { escaped: true },
            b'"' => {
                self.within = Within::Between;
                if self.due == Due::Key {
                    self.due = Due::Colon;
                    let key = self.key.get(..self.length).unwrap_or_default();
                    let key = known.iter().copied().find(|known| known.as_bytes() == key);
                    self.set(key);
                }
            }
            _ => {
                if let Some(place) = self.key.get_mut(self.length) {
                    *place = byte;
                }
                self.length = self.length.saturating_add(1).min(LONGEST + 1);
            }
        }
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    fn open(&mut self, object: bool) {
        if self.depth == DEEPEST {
            self.within = Within::Lost;
            return;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.due = if object { Due::Key } else { Due::Value };
        self.set(None);
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
        self.due = Due::Comma;
        if self.depth == 0 {
            self.within = Within::Lost;
        }
    }

    /// Notes the key of the innermost container.
    fn set(&mut self, key: Option<&'static str>) {
        let at = usize::try_from(self.depth).unwrap_or(WAY + 1) - 1;
        if let Some(place) = self.way.get_mut(at) {
            *place = key;
        }
    }

    fn tell(&self, number: Option<u64>, found: &mut impl FnMut(&[&'static str], u64)) {
        let (depth, mut keys) = (usize::try_from(self.depth).unwrap_or(usize::MAX), [""; WAY]);
        let (Some(number), Some(way)) = (number, self.way.get(..depth)) else { return };
        for (place, key) in keys.iter_mut().zip(way) {
            let Some(key) = key else { return };
            *place = key;
        }
        if self.in_object() {
            found(&keys[..depth], number);
        }
    }
}

fn longer(number: u64, digit: u8) -> Option<u64> {
    Some(number * 10 + u64::from(digit - b'0')).filter(|number| *number <= LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const KNOWN: [&str; 4] = ["a", "b", "usage", "tokens"];

    fn scan(text: &[u8]) -> Vec<(String, u64)> {
        let (mut scan, mut found) = (Scan::default(), Vec::new());
        for byte in text {
            scan.take(*byte, &KNOWN, &mut |way, number| found.push((way.join("."), number)));
        }
        found
    }

    #[test]
    fn a_number_is_found_by_the_keys_that_lead_to_it() {
        for (text, expected) in [
            (r#"{"a": 1, "b": {"usage": {"tokens":22}}}"#, vec![("a", 1), ("b.usage.tokens", 22)]),
            (r#"{"a":[{"b":1}],"x":{"b":2},"b":3}"#, vec![("b", 3)]),
            (r#"{"a":"\"b\":1,","b":"{\"a\":1}","usage":7}"#, vec![("usage", 7)]),
            (r#"{"a":-1,"b":1.5,"usage":1e3,"tokens":1000000000001}"#, vec![]),
            (r#"{"a":1000000000000,"b":99999999999999999999999999}"#, vec![("a", 1_000_000_000_000)]),
            (r#"{"a":null,"b":true,"usage":{"a":0,"a":5}}"#, vec![("usage.a", 0), ("usage.a", 5)]),
            (r#"{"a":{"b":{"a":{"b":{"tokens":9}}}},"tokens":1}"#, vec![("tokens", 1)]),
            (r#"{"\u0061":1,"aa":2," a":3,"a":4}"#, vec![("a", 4)]),
            (r#"[{"a":1}]"#, vec![]),
            (r#"{"a":1}{"b":2}"#, vec![("a", 1)]),
            (r#"{"a":1"#, vec![]),
            (r#"{"a" "b":1}"#, vec![]),
            ("5", vec![]),
            ("}{", vec![]),
        ] {
            let expected: Vec<(String, u64)> =
                expected.into_iter().map(|(key, n)| (key.to_owned(), n)).collect();
            assert_eq!(scan(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn too_deep_is_given_up() {
        let nested = |depth: usize| format!("{}{}{}", "[".repeat(depth), "]".repeat(depth), "");
        let text = |depth: usize| format!("{{\"x\":{},\"a\":1}}", nested(depth));
        assert_eq!(scan(text(127).as_bytes()), [("a".to_owned(), 1)]);
        assert_eq!(scan(text(128).as_bytes()), []);
        assert_eq!(scan("[".repeat(1 << 20).as_bytes()), []);
    }

    fn values() -> impl Strategy<Value = Value> {
        let key = || prop_oneof![prop::sample::select(KNOWN.to_vec()).prop_map(str::to_owned), ".{0,6}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0u64..2_000_000_000_000).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn walk(value: &Value, way: &[String], found: &mut Vec<(String, u64)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(value, &[way, std::slice::from_ref(key)].concat(), found);
                }
            }
            Value::Number(number) if !way.is_empty() && way.len() <= WAY => {
                let known = way.iter().all(|key| KNOWN.contains(&key.as_str()));
                if let Some(number) = number.as_u64().filter(|number| known && *number <= LARGEST) {
                    found.push((way.join("."), number));
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_a_parser_finds(value in values(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let mut expected = Vec::new();
            walk(&value, &[], &mut expected);
            prop_assert_eq!(scan(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn no_bytes_make_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            scan(&bytes);
        }
    }
}
