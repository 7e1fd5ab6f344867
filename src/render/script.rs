//! Pure. The two shell scripts of a container.

use super::shell::quote;
use crate::agent::launch;
use crate::manifest::project::{AgentKind, Mode, Session};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};
use std::sync::{Arc, LazyLock};

/// One argument of a program ends here on Linux; a longer prompt comes by standard input.
pub const LONGEST_ARGUMENT: usize = 131_071;

const ENTRY: &str = include_str!("templates/entry.sh.j2");
const SEND_STATUS: &str = include_str!("templates/send_status.sh.j2");

/// A template that could not be rendered: a fault of the program, not of its input.
#[derive(Debug, thiserror::Error)]
#[error("the template `{name}` could not be rendered")]
pub struct Error {
    /// Which template.
    pub name: &'static str,
    /// Why not.
    #[source]
    pub source: Arc<minijinja::Error>,
}

/// The container's first script.
pub fn entry(session: &Session) -> Result<String, Error> {
    let launch = minijinja::Value::from(minijinja::value::Serde(launch(session)));
    let batch = session.mode == Mode::Batch;
    let prompt = match &session.prompt {
        None => "none",
        Some(text) if text.len() > LONGEST_ARGUMENT => "stdin",
        // Codex takes this one argument for a request to read standard input.
        Some(text) if text == "-" && session.agent.kind == AgentKind::Codex && batch => "stdin",
        Some(_) => "argument",
    };
    let carries_codex = session.agent.kind == AgentKind::Codex;
    render("entry.sh", &context! { launch, prompt, carries_codex, batch })
}

/// The hook script.
pub fn send_status(token: &str) -> Result<String, Error> {
    render("send_status.sh", &context! { token })
}

/// The templates, read once: a project may have a thousand sessions.
static TEMPLATES: LazyLock<Result<Environment<'static>, Arc<minijinja::Error>>> =
    LazyLock::new(|| templates().map_err(Arc::new));

fn templates() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_filter("quote", |text: String| quote(&text));
    environment.add_filter("word", |text: String| word(&text));
    environment.add_template("entry.sh", ENTRY)?;
    environment.add_template("send_status.sh", SEND_STATUS)?;
    Ok(environment)
}

fn render(name: &'static str, values: &minijinja::Value) -> Result<String, Error> {
    let environment = TEMPLATES.as_ref().map_err(|error| Error { name, source: error.clone() })?;
    let rendered = environment.get_template(name).and_then(|template| template.render(values));
    rendered.map_err(|source| Error { name, source: Arc::new(source) })
}

/// A word of ours: the conversation's variable is expanded, all else quoted.
fn word(text: &str) -> String {
    if text == "$CLAUDERON_CONVERSATION_ID" { format!("\"{text}\"") } else { quote(text) }
}
