//! A load generator that speaks as an agent does: CONNECT where there is a proxy, TLS, then HTTP/1.1 or HTTP/2.
//! `load MODE KEY=VALUE …` prints one line of `name=figure`; times are in milliseconds. Keys: `via` (`direct:HOST:PORT`,
//! `tcp:HOST:PORT` with CONNECT, `unix:SOCKET` with the link's word and CONNECT; several with commas are taken in turn),
//! `ca` (files with commas), `to` (the destination), `token`, `path`, `protocol` (h1 or h2), `connections`, `seconds`,
//! `count`, `pid` (whose processor time and memory are told, with their children's).

mod modes;
mod process;
mod way;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// What went wrong, in words.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// The words of the command line.
struct Words(BTreeMap<String, String>);

impl Words {
    fn text<'a>(&'a self, key: &str, otherwise: &'a str) -> &'a str {
        self.0.get(key).map_or(otherwise, String::as_str)
    }

    fn number(&self, key: &str, otherwise: usize) -> usize {
        self.0.get(key).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let words = Words(
        words
            .filter_map(|word| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
            .collect(),
    );
    match run(&mode, &words) {
        Ok(line) if writeln!(std::io::stdout(), "{line}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "load: {mode}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mode: &str, words: &Words) -> Result<String, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ways = way::Ways::new(words)?;
    let pids = process::tree(words.text("pid", ""));
    runtime.block_on(async {
        match mode {
            "closed" => modes::closed(ways, words, &pids).await,
            "open" => modes::open(ways, words).await,
            "fresh" => modes::fresh(ways, words, &pids).await,
            "body" => modes::body(ways, words, pids).await,
            "events" => modes::events(ways, words).await,
            "hold" => modes::hold(ways, words, &pids).await,
            _ => Err("there is no such mode".into()),
        }
    })
}
