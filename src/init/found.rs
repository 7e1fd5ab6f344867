//! Pure. What a repository tells of how an agent is to work in it.

use super::Repository;
use super::container::{Proposal, image};
use super::language::{Language, languages};
use crate::manifest::project::AgentKind;

/// Files and directories that an agent's users keep, the surest first.
const AGENTS: [(&str, AgentKind); 5] = [
    ("CLAUDE.md", AgentKind::Claude),
    (".claude", AgentKind::Claude),
    (".mcp.json", AgentKind::Claude),
    (".codex", AgentKind::Codex),
    ("AGENTS.md", AgentKind::Codex),
];
/// The longest name of a project.
const LONGEST_NAME: usize = 63;

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// A name for the project, and whether it is that of the directory.
    pub name: (String, bool),
    /// The languages.
    pub languages: Vec<Language>,
    /// The agent, and what told; nothing told of the default.
    pub agent: (AgentKind, Option<&'static str>),
    /// The image.
    pub image: Option<Proposal>,
    /// Files with the settings of one person, which a checkout does not have by itself.
    pub personal: Vec<&'static str>,
    /// What was found but is of no use, in words.
    pub notes: Vec<String>,
}

/// Looks at a repository.
pub fn found(repository: &Repository) -> Found {
    let agent = AGENTS.into_iter().find(|(name, _)| repository.has(name));
    let (image, notes) = image(repository);
    let personal =
        [".env", ".env.local", ".npmrc"].into_iter().filter(|name| repository.files.contains(*name));
    let name = name(&repository.directory);
    Found {
        name: (name.clone(), name == repository.directory),
        languages: languages(repository),
        agent: agent.map_or((AgentKind::Claude, None), |(name, kind)| (kind, Some(name))),
        image,
        personal: personal.collect(),
        notes,
    }
}

/// A name that the manifest takes, made of the directory's.
fn name(directory: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '_') => letter,
        _ => '-',
    };
    let all: String = directory.chars().map(letter).take(LONGEST_NAME).collect();
    let name = all.trim_start_matches(['-', '_']).trim_end_matches('-');
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_name_is_made_of_any_directorys() {
        for (directory, expected) in [
            ("shop", "shop"),
            ("My Shop!", "my-shop"),
            ("_x_", "x_"),
            ("---", "project"),
            ("été", "t"),
            ("a: b\nc", "a--b-c"),
        ] {
            assert_eq!(name(directory), expected);
        }
        assert_eq!(name(&"a".repeat(100)).len(), 63);
    }

    #[test]
    fn claudes_own_files_outweigh_the_common_one() {
        let of = |names: &[&str]| {
            let files = names.iter().map(ToString::to_string).collect();
            found(&Repository { files, ..Repository::default() }).agent
        };
        assert_eq!(of(&["AGENTS.md", "CLAUDE.md"]), (AgentKind::Claude, Some("CLAUDE.md")));
        assert_eq!(of(&["AGENTS.md"]), (AgentKind::Codex, Some("AGENTS.md")));
        assert_eq!(of(&[]), (AgentKind::Claude, None));
    }
}
