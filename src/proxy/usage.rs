//! Pure. What an answer of a model says of the tokens that it took, read as it goes by: a stream of events or one JSON
//! document. The numbers of a stream are sums so far, so that each counts by its largest; of the text nothing is kept.

use super::scan::Scan;
use std::ops::{AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

/// The keys on the ways to the numbers of Anthropic and `OpenAI`.
const KEYS: [&str; 12] = [
    "message",
    "response",
    "usage",
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens_details",
    "prompt_tokens_details",
    "cached_tokens",
];

/// What was asked of a model, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests that were passed on.
    pub requests: u64,
    /// Tokens of the input, those of the two below among them.
    pub input_tokens: u64,
    /// Tokens of the input that were written to the provider's cache.
    pub cache_creation_input_tokens: u64,
    /// Tokens of the input that were read from it.
    pub cache_read_input_tokens: u64,
    /// Tokens of the output.
    pub output_tokens: u64,
    /// Requests that were granted and whose answers told no tokens.
    pub unread: u64,
}

impl Counts {
    /// Tokens of the input and of the output together.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    fn join(&mut self, other: &Self, join: fn(u64, u64) -> u64) {
        for (own, other) in [
            (&mut self.requests, other.requests),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.cache_creation_input_tokens, other.cache_creation_input_tokens),
            (&mut self.cache_read_input_tokens, other.cache_read_input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.unread, other.unread),
        ] {
            *own = join(*own, other);
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.join(&other, u64::saturating_add);
    }
}

impl SubAssign for Counts {
    fn sub_assign(&mut self, other: Self) {
        self.join(&other, u64::saturating_sub);
    }
}

/// The numbers of one answer, as the providers name them.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    any: bool,
    input: u64,
    output: u64,
    created: u64,
    read: u64,
    /// A part of `input`, where the others are none.
    cached: u64,
}

impl Told {
    fn hear(&mut self, way: &[&'static str], number: u64) {
        let way = match way {
            ["message" | "response", rest @ ..] => rest,
            way => way,
        };
        let place = match way {
            ["usage", "input_tokens" | "prompt_tokens"] => &mut self.input,
            ["usage", "output_tokens" | "completion_tokens"] => &mut self.output,
            ["usage", "cache_creation_input_tokens"] => &mut self.created,
            ["usage", "cache_read_input_tokens"] => &mut self.read,
            ["usage", "input_tokens_details" | "prompt_tokens_details", "cached_tokens"] => &mut self.cached,
            _ => return,
        };
        *place = number.max(*place);
        self.any = true;
    }
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Server-sent events, each with a document of its own.
    Events,
    /// One document.
    Document,
}

/// Reads one answer.
#[derive(Clone, Debug)]
pub struct Reader {
    form: Form,
    scan: Scan,
    line: Line,
    /// Whether the last byte was a carriage return: a line feed after it ends the same line.
    returned: bool,
    told: Told,
}

/// Where in a line of a stream the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// After so many bytes of the name of the field that holds the data.
    Name(usize),
    /// In its value.
    Data,
    /// In what is something else.
    Other,
}

const DATA: &[u8] = b"data:";

impl Reader {
    /// Reads an answer of this form from its beginning.
    pub fn new(form: Form) -> Self {
        Self { form, scan: Scan::default(), line: Line::Name(0), returned: false, told: Told::default() }
    }

    /// Reads on.
    pub fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.form {
                Form::Document => self.scan(*byte),
                Form::Events => self.event(*byte),
            }
        }
    }

    /// What the answer has told so far; nothing where it told no tokens.
    pub fn told(&self) -> Option<Counts> {
        let Told { any, input, output, created, read, cached } = self.told;
        any.then(|| Counts {
            input_tokens: input + created + read,
            cache_creation_input_tokens: created,
            cache_read_input_tokens: read + cached.min(input),
            output_tokens: output,
            ..Counts::default()
        })
    }

    fn scan(&mut self, byte: u8) {
        let told = &mut self.told;
        self.scan.take(byte, &KEYS, &mut |way, number| told.hear(way, number));
    }

    fn event(&mut self, byte: u8) {
        if std::mem::replace(&mut self.returned, byte == b'\r') && byte == b'\n' {
            return;
        }
        let ends = byte == b'\n' || byte == b'\r';
        match self.line {
            // An empty line ends the event.
            Line::Name(0) if ends => self.scan = Scan::default(),
            Line::Data => self.scan(if ends { b'\n' } else { byte }),
            _ => {}
        }
        self.line = match self.line {
            _ if ends => Line::Name(0),
            Line::Name(at) if DATA[at] == byte && at + 1 == DATA.len() => Line::Data,
            Line::Name(at) if DATA[at] == byte => Line::Name(at + 1),
            Line::Data => Line::Data,
            Line::Name(_) | Line::Other => Line::Other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(form: Form, text: &[u8]) -> Option<(u64, u64, u64, u64)> {
        let mut reader = Reader::new(form);
        reader.read(text);
        let told = reader.told()?;
        assert_eq!((told.requests, told.unread), (0, 0));
        let (created, cached) = (told.cache_creation_input_tokens, told.cache_read_input_tokens);
        Some((told.input_tokens, created, cached, told.output_tokens))
    }

    /// Recorded of both providers, the texts shortened.
    const CLAUDE: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":9,\
        \"cache_creation_input_tokens\":100,\"cache_read_input_tokens\":2000,\"cache_creation\":{\"ephemeral_5m_input_tokens\":100},\
        \"output_tokens\":1,\"service_tier\":\"standard\"}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\\n\\ndata: {\\\"usage\\\":{\
        \\\"output_tokens\\\":77777}}\\n\\n\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\
        \"tool_use\"},\"usage\":{\"output_tokens\":15}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\
        \"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":9,\"cache_read_input_tokens\":2000,\"output_tokens\":42}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    const CODEX: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"usage\":null}}\n\n\
        event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"usage\":{\"input_tokens\":5}}}\n\n\
        event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"usage\":{\"output_tokens\":6}}],\
        \"usage\":{\"input_tokens\":300,\"input_tokens_details\":{\"cached_tokens\":256},\"output_tokens\":20,\
        \"output_tokens_details\":{\"reasoning_tokens\":8},\"total_tokens\":320}}}\n\n";
    const CHAT: &str = "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":30,\
        \"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":10}}}\n\ndata: [DONE]\n\n";

    #[test]
    fn the_numbers_of_each_provider_in_a_stream() {
        for (stream, expected) in
            [(CLAUDE, (2109, 100, 2000, 42)), (CODEX, (300, 0, 256, 20)), (CHAT, (30, 0, 10, 4))]
        {
            for text in [stream.to_owned(), stream.replace('\n', "\r\n"), stream.replace('\n', "\r")] {
                assert_eq!(read(Form::Events, text.as_bytes()), Some(expected), "{text:?}");
                // Told twice it is the same answer.
                assert_eq!(read(Form::Events, text.repeat(2).as_bytes()), Some(expected));
            }
        }
    }

    #[test]
    fn the_numbers_of_each_provider_in_a_document() {
        for (text, expected) in [
            (
                r#"{"type":"message","content":[{"type":"tool_use","input":{"usage":{"output_tokens":9999}}}],
                "usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_tokens":3}}"#,
                Some((12, 0, 7, 3)),
            ),
            (r#"{"object":"response","usage":{"input_tokens":8,"output_tokens":2}}"#, Some((8, 0, 0, 2))),
            (r#"{"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}"#, Some((8, 0, 0, 2))),
            (r#"{"usage":{"input_tokens":8}}"#, Some((8, 0, 0, 0))),
            (
                r#"{"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":9}}}"#,
                Some((1, 0, 1, 0)),
            ),
            (r#"{"input_tokens":8}"#, None),
            (r#"{"usage":{"input_tokens":-8,"output_tokens":"9"}}"#, None),
            (r#"{"usage":{"input_tokens":18446744073709551615,"output_tokens":1e9}}"#, None),
            (r#"{"usage":[{"input_tokens":8}],"x":{"usage":{"input_tokens":8}}}"#, None),
            (r#"{"message":{"response":{"usage":{"input_tokens":8}}}}"#, None),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"\"usage\":{\"input_tokens\":8}"}}"#,
                None,
            ),
            ("<html>usage</html>", None),
            ("", None),
        ] {
            assert_eq!(read(Form::Document, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_torn_stream_counts_by_what_it_told() {
        assert_eq!(read(Form::Events, &CLAUDE.as_bytes()[..400]), Some((2109, 100, 2000, 1)));
        assert_eq!(read(Form::Events, &CODEX.as_bytes()[..CODEX.len() - 140]), None);
        // A number that may go on is none yet.
        assert_eq!(read(Form::Events, b"data: {\"usage\":{\"output_tokens\":12"), None);
        assert_eq!(read(Form::Events, b"data: {\"usage\":{\"output_tokens\":12\n"), Some((0, 0, 0, 12)));
    }

    #[test]
    fn what_is_no_data_says_nothing() {
        for text in [
            "id: {\"usage\":{\"input_tokens\":8}}\n\n",
            ": data: {\"usage\":{\"input_tokens\":8}}\n\n",
            "xdata: {\"usage\":{\"input_tokens\":8}}\n\n",
            "dat: {\"usage\":{\"input_tokens\":8}}\n\n",
            "data {\"usage\":{\"input_tokens\":8}}\n\n",
            "data: nonsense {\"usage\":{\"input_tokens\":8}}\n\n",
        ] {
            assert_eq!(read(Form::Events, text.as_bytes()), None, "{text}");
        }
        let lines = "data: {\"usage\":\ndata: {\"input_tokens\":8\ndata: }}\n\n";
        assert_eq!(read(Form::Events, lines.as_bytes()), Some((8, 0, 0, 0)), "one event in three lines");
        let mended = "data: {{{\n\ndata:{\"usage\":{\"input_tokens\":8}}\n\n";
        assert_eq!(read(Form::Events, mended.as_bytes()), Some((8, 0, 0, 0)));
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut reader = Reader::new(Form::Events);
        reader.read(b"data: {\"type\":\"response.completed\",\"response\":{\"text\":\"");
        for _ in 0..1000 {
            reader.read(&[b'x'; 10_000]);
        }
        reader.read(b"\",\"usage\":{\"output_tokens\":5}}}");
        assert_eq!(reader.told().unwrap().output_tokens, 5);
        assert!(std::mem::size_of::<Reader>() < 300);
    }

    proptest! {
        #[test]
        fn pieces_are_read_as_the_whole(cuts in prop::collection::vec(0..CLAUDE.len(), 0..20), codex in any::<bool>()) {
            let text = if codex { CODEX } else { CLAUDE };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % text.len()).collect();
            cuts.sort_unstable();
            let (mut reader, mut from) = (Reader::new(Form::Events), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                reader.read(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let expected = read(Form::Events, text.as_bytes()).unwrap();
            prop_assert_eq!((reader.told().unwrap().input_tokens, reader.told().unwrap().output_tokens), (expected.0, expected.3));
        }

        #[test]
        fn nothing_makes_it_fall_and_what_was_told_never_shrinks(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"data: {\"usage\":{\"output_tokens\":".to_vec()), Just(b"data:".to_vec()), Just(b"\n\n".to_vec()),
                Just(b"}}\n\n".to_vec()), Just(b"{\"message\":{\"usage\":{\"input_tokens\":".to_vec()),
                (0u64..u64::MAX).prop_map(|number| number.to_string().into_bytes()),
                prop::collection::vec(any::<u8>(), 0..8),
            ], 0..60),
        ) {
            let (mut reader, mut before) = (Reader::new(Form::Events), 0);
            for piece in pieces {
                reader.read(&piece);
                let now = reader.told().map_or(0, |told| told.tokens());
                prop_assert!(now >= before && now <= 5_000_000_000_000);
                before = now;
            }
        }
    }
}
