//! Pure. The manifest that is written for what was found. Prose has a space after its `#`; a line without one is a
//! suggestion that holds as it is once the sign is gone.

use super::container::{Image, Proposal};
use super::found::Found;
use crate::manifest::project::AgentKind;
use std::fmt::Write;

/// What a person chose of what was found.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The agent.
    pub agent: AgentKind,
    /// Whether the image that was found is the sessions'.
    pub image: bool,
}

/// The manifest; `schema` is the path of its schema, seen from it.
pub fn text(found: &Found, choice: Choice, schema: &str) -> String {
    let parts = [
        head(found, schema),
        image(found.image.as_ref(), choice),
        agent(found, choice),
        caches(found),
        LIMITS.to_owned(),
        personal(found),
        sessions(choice),
    ];
    parts.concat()
}

const LIMITS: &str = "\n# Limits of each container, and its variables. No secrets: the agent reads them.
#resources: {cpus: 2, memory: 4GiB}
#environment: {RUST_LOG: info}
";

fn head(found: &Found, schema: &str) -> String {
    let (name, is_directory) = &found.name;
    let name =
        if *is_directory { format!("#name: {}", quoted(name)) } else { format!("name: {}", quoted(name)) };
    format!(
        "# yaml-language-server: $schema={schema}
# The agent sessions of this repository. `clauderon validate` checks this file, `clauderon plan` says what it would do,
# `clauderon up` does it. Lines with a `#` and no space after it are suggestions: take the `#` away to have them.

# The project's name; without one, that of the directory.
{name}
"
    )
}

fn image(proposal: Option<&Proposal>, choice: Choice) -> String {
    let needs = format!("It needs bash, curl and `{}`.", choice.agent.as_str());
    let Some(Proposal { source, image }) = proposal else {
        return format!(
            "\n# The image of each container; without one, clauderon's default. {needs}\n\
             #build: {{context: \".\", dockerfile: \"agent.Dockerfile\"}}\n"
        );
    };
    let sign = if choice.image { "" } else { "#" };
    let said = match image {
        Image::Reference(reference) => format!("image: {}", quoted(reference)),
        Image::Build { context, dockerfile, target, args } => {
            let mut keys = vec![("context", quoted(context)), ("dockerfile", quoted(dockerfile))];
            keys.extend(target.iter().map(|target| ("target", quoted(target))));
            if !args.is_empty() {
                keys.push(("args", map(args.iter().map(|(name, value)| (quoted(name), quoted(value))))));
            }
            format!("build: {}", map(keys.into_iter().map(|(key, value)| (key.to_owned(), value))))
        }
    };
    format!("\n# The image of each container, as `{source}` has it. {needs}\n{sign}{said}\n")
}

fn agent(found: &Found, choice: Choice) -> String {
    let told = found.agent.1.filter(|_| found.agent.0 == choice.agent);
    let told = told.map(|name| format!(", since there is `{name}`")).unwrap_or_default();
    format!(
        "\n# The agent{told}: claude or codex, or a map with its `kind`, `model` and `args`.\nagent: {}\n",
        choice.agent.as_str()
    )
}

fn caches(found: &Found) -> String {
    let mut lines = String::new();
    for language in &found.languages {
        for (name, path) in language.caches {
            match path {
                Some(path) => lines.push_str(&format!("  {name}: {{path: {path}}} # {}\n", language.name)),
                None => lines.push_str(&format!("  {name}: true # {}\n", language.name)),
            }
        }
    }
    let head = "\n# Kept from session to session. Those of cargo and sccache are on by themselves.\n";
    if lines.is_empty() {
        format!("{head}#caches: {{npm: true}}\n")
    } else {
        format!("{head}caches:\n{lines}")
    }
}

fn personal(found: &Found) -> String {
    if found.personal.is_empty() {
        return String::new();
    }
    let names: Vec<String> = found.personal.iter().map(|name| quoted(name)).collect();
    format!(
        "\n# Ignored files that each checkout is to have too. The agent reads them: no secrets here either.\n\
         #repository: {{copy: [{}]}}\n",
        names.join(", ")
    )
}

fn sessions(choice: Choice) -> String {
    let other = match choice.agent {
        AgentKind::Claude => AgentKind::Codex,
        AgentKind::Codex => AgentKind::Claude,
    };
    format!(
        "
# Each session has a container, a clone and a branch of its own: `clauderon/<session>`.
sessions:
  # Without a prompt an agent waits for you: `clauderon attach main`.
  main: {{}}
  # A prompt alone is the whole session.
  #tests: Make the failing tests pass
  # A batch session runs its prompt and ends.
  #review: {{agent: {}, mode: batch, prompt: Review the last commit and write down what you find}}
",
        other.as_str()
    )
}

/// Keys and values, quoted already, as a map of one line.
fn map(pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Any text as one YAML scalar of one line, by its escapes.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            letter if letter.is_alphanumeric() => quoted.push(letter),
            // Writing to memory cannot fail.
            letter => drop(write!(quoted, "\\U{:08x}", u32::from(letter))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quoted_text_comes_back_and_stays_on_its_line(text in any::<String>()) {
            let yaml = format!("a: {}\nb: 1\n", quoted(&text));
            prop_assert_eq!(yaml.lines().count(), 2);
            let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
            prop_assert_eq!(read, serde_json::json!({"a": text, "b": 1}));
        }
    }
}
