//! A client of a language server: as much of an editor as the tests need.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `yaml-language-server` that knows the manifest's schema.
pub struct Client {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// What came while an answer was waited for.
    notes: VecDeque<Value>,
    settings: Value,
    asked: u64,
    opened: usize,
}

impl Client {
    /// Starts the server that `scripts/editor` has installed.
    ///
    /// It opens `root` with its `yaml.schemas`, and waits until keys are offered at the `|` of `first` in its manifest.
    pub fn start(packages: &Path, root: &Path, schemas: &Value, first: &str) -> Self {
        let program = packages.join("node_modules/yaml-language-server/bin/yaml-language-server");
        assert!(program.exists(), "no language server; run scripts/editor");
        let mut server = Command::new("node")
            .arg(program)
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let input = server.stdin.take().expect("its input");
        let output = BufReader::new(server.stdout.take().expect("its output"));
        let (send, messages) = channel();
        std::thread::spawn(move || {
            let mut output = output;
            while let Some(message) = read(&mut output) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let settings = json!({
            "schemas": schemas,
            "schemaStore": {"enable": false},
            "validate": true,
            "hover": true,
            "completion": true,
        });
        let mut client =
            Self { server, input, messages, notes: VecDeque::new(), settings, asked: 0, opened: 0 };
        let capabilities = json!({
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "hover": {"contentFormat": ["markdown"]},
            },
            "workspace": {"configuration": true},
        });
        let folder = json!({"uri": format!("file://{}", root.display()), "name": "root"});
        client.ask(
            "initialize",
            &json!({
                "processId": null,
                "rootUri": folder["uri"],
                "workspaceFolders": [folder],
                "capabilities": capabilities,
            }),
        );
        client.tell("initialized", &json!({}));
        // The server asks for its settings now, and knows no schema before it has them.
        let until = Instant::now() + PATIENCE;
        let manifest = format!("file://{}/clauderon.yaml", root.display());
        while client.complete_at(&manifest, first).is_empty() {
            assert!(Instant::now() < until, "the language server knows no schema for {first:?}: {schemas}");
            std::thread::sleep(Duration::from_millis(50));
        }
        client
    }

    /// An address that no document had.
    fn address(&mut self) -> String {
        self.opened += 1;
        format!("file:///manifests/{}.yaml", self.opened)
    }

    fn open_at(&mut self, uri: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", &json!({"textDocument": document}));
    }

    /// What an editor offers at the `|` of a text.
    pub fn complete(&mut self, marked: &str) -> Vec<Value> {
        let uri = self.address();
        self.complete_at(&uri, marked)
    }

    fn complete_at(&mut self, uri: &str, marked: &str) -> Vec<Value> {
        let (text, position) = position(marked);
        self.open_at(uri, &text);
        let answer =
            self.ask("textDocument/completion", &json!({"textDocument": {"uri": uri}, "position": position}));
        answer["items"].as_array().cloned().unwrap_or_default()
    }

    /// What an editor shows of the word at the `|` of a text.
    pub fn hover(&mut self, marked: &str) -> String {
        let (text, position) = position(marked);
        let uri = self.address();
        self.open_at(&uri, &text);
        let answer =
            self.ask("textDocument/hover", &json!({"textDocument": {"uri": uri}, "position": position}));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Opens a file at its own place.
    pub fn open_file(&mut self, file: &Path, text: &str) {
        self.open_at(&format!("file://{}", file.display()), text);
    }

    /// What an editor underlines in a file that was opened.
    pub fn diagnostics(&mut self, file: &Path) -> Vec<Value> {
        let uri = format!("file://{}", file.display());
        let is_it = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri.as_str()
        };
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.notes.iter().position(is_it) {
                let note = self.notes.remove(at).expect("it is there");
                return note["params"]["diagnostics"].as_array().cloned().unwrap_or_default();
            }
            let message = self.next(until);
            self.notes.push_back(message);
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let until = Instant::now() + PATIENCE;
        loop {
            let mut message = self.next(until);
            if message["id"] == id && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.notes.push_back(message);
        }
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The next message that is no question of the server's; those are answered.
    fn next(&mut self, until: Instant) -> Value {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).expect("the language server answers in time");
            if message.get("id").is_none() || message.get("method").is_none() {
                return message;
            }
            let sections = message["params"]["items"].as_array().cloned().unwrap_or_default();
            let settings: Vec<Value> = sections
                .iter()
                .map(|item| if item["section"] == "yaml" { self.settings.clone() } else { json!({}) })
                .collect();
            let asked = message["method"] == "workspace/configuration";
            let result = if asked { json!(settings) } else { Value::Null };
            self.send(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
        }
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        self.input.flush().expect("the server reads");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Reads one message: headers, an empty line, a body.
fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// Takes the `|` out of a text and says where it was.
fn position(marked: &str) -> (String, Value) {
    let (before, after) = marked.split_once('|').expect("a text with a mark");
    let line = before.matches('\n').count();
    let character = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
    (format!("{before}{after}"), json!({"line": line, "character": character}))
}
