//! Pure. The image that a repository is developed in: its devcontainer's, or one built from a Dockerfile.

use super::{Repository, WANTED, jsonc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Dockerfiles at the root, the best first.
const DOCKERFILES: [&str; 3] = ["agent.Dockerfile", "Dockerfile", "Containerfile"];
/// The longest text that is taken over.
const LONGEST: usize = 512;
/// The most build arguments that are taken over.
const MOST: usize = 32;

/// An image in the manifest's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// `image:`.
    Reference(String),
    /// `build:`, its context seen from the manifest, its Dockerfile from the context.
    Build {
        /// The context.
        context: String,
        /// The Dockerfile.
        dockerfile: String,
        /// The stage.
        target: Option<String>,
        /// Build arguments.
        args: BTreeMap<String, String>,
    },
}

/// An image, and the file that told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The file.
    pub source: &'static str,
    /// The image.
    pub image: Image,
}

/// The image of a repository, and what was found but is of no use, in words.
pub fn image(repository: &Repository) -> (Option<Proposal>, Vec<String>) {
    let mut notes = Vec::new();
    for source in WANTED {
        let Some(text) = repository.texts.get(source) else { continue };
        match devcontainer(Path::new(source).parent().unwrap_or(Path::new("")), text) {
            Ok(image) => return (Some(Proposal { source, image }), notes),
            Err(reason) => notes.push(format!("`{source}` is of no use here: {reason}")),
        }
    }
    let found = DOCKERFILES.into_iter().find(|name| repository.files.contains(*name));
    let proposal = found.map(|source| {
        let (context, dockerfile) = (".".to_owned(), source.to_owned());
        Proposal { source, image: Image::Build { context, dockerfile, target: None, args: BTreeMap::new() } }
    });
    (proposal, notes)
}

/// The image that a devcontainer.json in a directory names.
fn devcontainer(directory: &Path, text: &str) -> Result<Image, &'static str> {
    let read: Value = serde_json::from_str(&jsonc::plain(text)).map_err(|_| "it is no JSON")?;
    if read.get("dockerComposeFile").is_some() {
        return Err("it names a compose file, and a session is one container");
    }
    if let Some(reference) = read.get("image").and_then(Value::as_str) {
        return image_reference(reference).map(Image::Reference).ok_or("its image is no plain reference");
    }
    let build = read.get("build").unwrap_or(&Value::Null);
    let text = |new: &str, old: &str| build.get(new).or_else(|| read.get(old)).and_then(Value::as_str);
    let dockerfile = text("dockerfile", "dockerFile").ok_or("it names no image and no Dockerfile")?;
    let outside = "its build needs files outside of the repository, or of its context";
    let context = inside(directory, text("context", "context").unwrap_or(".")).ok_or(outside)?;
    let dockerfile = inside(directory, dockerfile).ok_or(outside)?;
    let dockerfile = dockerfile.strip_prefix(&context).map_err(|_| outside)?;
    if dockerfile.as_os_str().is_empty() {
        return Err(outside);
    }
    let context =
        if context.as_os_str().is_empty() { ".".to_owned() } else { format!("./{}", context.display()) };
    let target = build.get("target").and_then(Value::as_str).filter(|it| plain(it)).map(String::from);
    Ok(Image::Build { context, dockerfile: dockerfile.display().to_string(), target, args: arguments(build) })
}

/// A reference that the manifest takes.
fn image_reference(text: &str) -> Option<String> {
    crate::manifest::scalar::ImageReference::try_from(text.to_owned()).ok().map(|reference| reference.0)
}

/// A path of the repository that is named in one of its directories; none that leads out of it.
fn inside(directory: &Path, text: &str) -> Option<PathBuf> {
    if !plain(text) {
        return None;
    }
    let mut path = directory.to_owned();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

/// Build arguments that are plain text: one that an editor would replace by something of the host is left out.
fn arguments(build: &Value) -> BTreeMap<String, String> {
    let named = |name: &str| {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.is_empty()
            && name.len() <= LONGEST
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let written = build.get("args").and_then(Value::as_object).into_iter().flatten();
    written
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .filter(|(name, value)| named(name) && (value.is_empty() || plain(value)))
        .take(MOST)
        .map(|(name, value)| (name.clone(), value.to_owned()))
        .collect()
}

/// Text that means itself everywhere: no variable, no control character, not too long.
fn plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.contains('$') && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, text: &str) -> Result<Image, &'static str> {
        devcontainer(Path::new(source), text)
    }

    fn build(context: &str, dockerfile: &str) -> Image {
        let (context, dockerfile) = (context.to_owned(), dockerfile.to_owned());
        Image::Build { context, dockerfile, target: None, args: BTreeMap::new() }
    }

    #[test]
    fn a_devcontainers_paths_are_seen_from_its_own_directory() {
        let at = ".devcontainer";
        assert_eq!(of(at, r#"{"image": "a/b:1"}"#), Ok(Image::Reference("a/b:1".to_owned())));
        assert_eq!(of(at, r#"{"build": {"dockerfile": "D"}}"#), Ok(build("./.devcontainer", "D")));
        let up = r#"{"build": {"dockerfile": "D", "context": ".."}}"#;
        assert_eq!(of(at, up), Ok(build(".", ".devcontainer/D")));
        assert_eq!(of("", r#"{"dockerFile": "x/D", "context": "x"}"#), Ok(build("./x", "D")));
    }

    #[test]
    fn what_leads_out_or_means_something_else_elsewhere_is_left_out() {
        for text in [
            r#"{"build": {"dockerfile": "../../D"}}"#,
            r#"{"build": {"dockerfile": "D", "context": "../.."}}"#,
            r#"{"build": {"dockerfile": "../D"}}"#,
            r#"{"build": {"dockerfile": "/D", "context": "/"}}"#,
            r#"{"build": {"dockerfile": "."}}"#,
            r#"{"image": "a b"}"#,
            r#"{"image": "${localEnv:IMAGE}"}"#,
            r#"{"image": "a\"\nvolumes: [\"/:/host\"]"}"#,
            r#"{"dockerComposeFile": "compose.yaml", "image": "a"}"#,
            "{}",
            "[]",
            "no",
        ] {
            assert!(of(".devcontainer", text).is_err(), "{text}");
        }
        let args =
            r#"{"build": {"dockerfile": "D", "args": {"A": "1", "B": "${localEnv:B}", "C D": "x", "E": 2}}}"#;
        let Ok(Image::Build { args, .. }) = of("", args) else { panic!("no build") };
        assert_eq!(args, [("A".to_owned(), "1".to_owned())].into());
    }
}
