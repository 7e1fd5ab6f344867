//! `init`: a first manifest for this repository, of what its files tell. Asks on a terminal alone, and overwrites
//! nothing unasked.

use super::args::Init;
use super::remedy::file_error;
use super::{Code, output};
use crate::error::{Error, Kind};
use crate::fs;
use crate::init::found::{Found, found};
use crate::init::text::{Choice, text};
use crate::init::{Repository, WANTED};
use crate::manifest::project::AgentKind;
use crate::manifest::{parse, schema, source};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Bytes of the largest file that is looked into.
const LARGEST: u64 = 256 * 1024;
/// The manifest's name.
const MANIFEST: &str = "clauderon.yaml";
/// The schema's name beside a manifest.
const SCHEMA: &str = "clauderon.schema.json";

/// `clauderon init`.
pub fn run(file: &[PathBuf], args: &Init) -> Result<Code, Error> {
    let path = place(file)?;
    if fs::exists(&path) && !args.force {
        return Err(there(&path));
    }
    let root = path.parent().unwrap_or(Path::new("/")).to_owned();
    let found = found(&look(&root)?);
    let choice = choose(&found);
    let own = Path::new("schema").join(SCHEMA);
    let has_own = fs::exists(&root.join(&own));
    let schema = if has_own { own } else { SCHEMA.into() };
    let text = text(&found, choice, &format!("./{}", schema.display()));
    check(&path, &text)?;
    if args.force {
        fs::replace(&path, text.as_bytes(), 0o644).map_err(file_error)?;
    } else if !fs::create_new(&path, text.as_bytes(), 0o644).map_err(file_error)? {
        return Err(there(&path));
    }
    let new = !has_own && write_schema(&root.join(SCHEMA), args.force)?;
    report(&path, new.then_some(SCHEMA), &found, choice);
    Ok(0)
}

/// Where the manifest goes: what is there, else the root of the repository, else here.
fn place(file: &[PathBuf]) -> Result<PathBuf, Error> {
    let unknown = |error| Error::failed("the working directory is gone").because(error);
    if let Some(file) = file.first() {
        return std::path::absolute(file).map_err(unknown);
    }
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).map_err(unknown)?;
    let root = here.ancestors().find(|directory| fs::exists(&directory.join(".git"))).unwrap_or(&here);
    Ok(source::discover(&here).unwrap_or_else(|_| root.join(MANIFEST)))
}

fn there(path: &Path) -> Error {
    Error::new(Kind::Refused, format!("`{}` is there already", path.display()))
        .hint("`clauderon init --force` replaces it")
}

/// What is known of a repository: names, and a few small files.
fn look(root: &Path) -> Result<Repository, Error> {
    let directory = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut repository = Repository { directory, ..Repository::default() };
    for name in fs::list(root).map_err(file_error)? {
        let names =
            if root.join(&name).is_dir() { &mut repository.directories } else { &mut repository.files };
        names.insert(name);
    }
    for name in WANTED {
        if let Some(text) = fs::read_small(&root.join(name), LARGEST) {
            repository.texts.insert(name.to_owned(), text);
        }
    }
    Ok(repository)
}

/// What was found, or what a person at a terminal would rather have.
fn choose(found: &Found) -> Choice {
    let choice = Choice { agent: found.agent.0, image: found.image.is_some() };
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return choice;
    }
    let agent = match ask(&format!("Agent, claude or codex? [{}] ", choice.agent.as_str())).as_str() {
        "claude" => AgentKind::Claude,
        "codex" => AgentKind::Codex,
        _ => choice.agent,
    };
    let image = found.image.as_ref().is_some_and(|proposal| {
        let question = format!("Run the sessions in the image of `{}`? [Y/n] ", proposal.source);
        !matches!(ask(&question).as_str(), "n" | "no")
    });
    Choice { agent, image }
}

/// An answer in lower case; nothing where nobody answers.
fn ask(question: &str) -> String {
    let mut stderr = std::io::stderr();
    let mut answer = String::new();
    // A question that cannot be shown is answered by nobody.
    let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let _ = std::io::stdin().lock().read_line(&mut answer);
    answer.trim().to_lowercase()
}

/// Only what `validate` accepts is written.
fn check(path: &Path, text: &str) -> Result<(), Error> {
    let none = |_: &Path| Err("there is none".to_owned());
    parse(path, text, &none).map(drop).map_err(|diagnostics| {
        let said = diagnostics.render(false);
        Error::failed("what was found makes no valid manifest; nothing was written").because(said)
    })
}

/// The schema for editors, of this very version; answers whether it is new.
fn write_schema(path: &Path, force: bool) -> Result<bool, Error> {
    let text = format!("{:#}\n", schema::schema());
    if force && fs::exists(path) {
        return fs::replace(path, text.as_bytes(), 0o644).map(|()| false).map_err(file_error);
    }
    fs::create_new(path, text.as_bytes(), 0o644).map_err(file_error)
}

fn report(path: &Path, schema: Option<&str>, found: &Found, choice: Choice) {
    let mut lines = vec![format!("wrote `{}`", path.display())];
    lines
        .extend(schema.map(|name| format!("wrote `{name}` beside it: an editor completes and checks by it")));
    for language in &found.languages {
        lines.push(format!("  language   {} (`{}`)", language.name, language.marker));
    }
    let told = found.agent.1.filter(|_| choice.agent == found.agent.0);
    let told = told.map(|name| format!(" (`{name}`)")).unwrap_or_default();
    lines.push(format!("  agent      {}{told}", choice.agent.as_str()));
    match &found.image {
        Some(proposal) if choice.image => {
            let agent = choice.agent.as_str();
            lines.push(format!("  image      as in `{}`: it needs bash, curl and {agent}", proposal.source));
        }
        _ => lines.push("  image      clauderon's default".to_owned()),
    }
    lines.extend(found.notes.iter().map(|note| format!("note: {note}")));
    if !path.ancestors().skip(1).any(|directory| fs::exists(&directory.join(".git"))) {
        lines
            .push("note: this is no git repository: run `git init`, or write `repository: false`".to_owned());
    }
    lines.push(
        "next: give `main` a prompt or leave it to wait for you, then `clauderon plan` and `clauderon up`"
            .to_owned(),
    );
    output::say(&lines.join("\n"));
}
