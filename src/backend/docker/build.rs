//! An image build through the engine's own builder: the context travels as a tar archive, without what a
//! `.dockerignore` keeps out; links travel as links and are never followed.

use super::Docker;
use super::ignore::Ignore;
use crate::backend::Error;
use crate::fs;
use crate::manifest::project::Build;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Why a context cannot be sent, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Builds the context under a name, with labels.
pub async fn build(
    docker: &Docker,
    build: &Build,
    reference: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let failed = |message: String| Error::Build { reference: reference.to_owned(), message };
    let (context, dockerfile) = (build.context.clone(), build.dockerfile.clone());
    let archive = tokio::task::spawn_blocking(move || archive(&context, &dockerfile))
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(format!("context `{}`: {}", build.context.display(), words(&*error))))?;
    let arguments: HashMap<String, String> = build.args.clone().into_iter().collect();
    let labels: HashMap<String, String> = labels.clone().into_iter().collect();
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(&build.dockerfile)
        .t(reference)
        .buildargs(&arguments)
        .labels(&labels)
        .target(build.target.as_deref().unwrap_or_default())
        .rm(true)
        .forcerm(true)
        .build();
    let body = bollard::body_full(archive.into());
    let mut steps = docker.client().build_image(options, None, Some(body));
    let mut words = String::new();
    while let Some(step) = steps.next().await {
        let step = step.map_err(|error| failed(format!("{error}\n{}", words.trim_end())))?;
        if let Some(text) = step.stream {
            words.push_str(&text);
            let surplus = words.len().saturating_sub(2048);
            let start = words.char_indices().map(|(at, _)| at).find(|at| *at >= surplus).unwrap_or(0);
            words.drain(..start);
        }
        if let Some(error) = step.error_detail.and_then(|detail| detail.message) {
            return Err(failed(format!("{error}\n{}", words.trim_end())));
        }
    }
    Ok(())
}

fn words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn archive(context: &Path, dockerfile: &str) -> Result<Vec<u8>, Failure> {
    let ignore = ignore(context, dockerfile)?;
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    append(&mut archive, context, "", &ignore)?;
    Ok(archive.into_inner()?)
}

/// The file beside the Dockerfile is the Dockerfile's own; else there is the context's.
fn ignore(context: &Path, dockerfile: &str) -> Result<Ignore, Failure> {
    let beside = context.join(format!("{dockerfile}.dockerignore"));
    let known = [beside, context.join(".dockerignore")];
    let Some(file) = known.iter().find(|file| file.is_file()) else { return Ok(Ignore::usual()) };
    let text = fs::read_to_string(file)?;
    let mut ignore = Ignore::parse(&text).map_err(|error| format!("`{}`, {error}", file.display()))?;
    ignore = ignore.after(Ignore::usual());
    // The engine reads both, and takes them out itself where they are to stay out.
    ignore.keep(dockerfile);
    ignore.keep(".dockerignore");
    Ok(ignore)
}

/// Adds what is in a directory of the context, in order, so that the same context is the same archive.
fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    context: &Path,
    directory: &str,
    ignore: &Ignore,
) -> Result<(), Failure> {
    for name in names(&context.join(directory))? {
        let relative = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        let path = context.join(&relative);
        let kind = std::fs::symlink_metadata(&path).map_err(named(&path))?.file_type();
        let out = ignore.excludes(&relative);
        // A socket means nothing to who gets it.
        if !out && !kind.is_socket() {
            archive.append_path_with_name(&path, &relative).map_err(named(&path))?;
        }
        if kind.is_dir() && (!out || ignore.may_keep_below(&relative)) {
            append(archive, context, &relative, ignore)?;
        }
    }
    Ok(())
}

fn names(directory: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(named(directory))? {
        let name = entry.map_err(named(directory))?.file_name();
        // What cannot be written as text no pattern could keep out.
        let text = name.into_string().map_err(|name| {
            format!("`{}` is not named in UTF-8", directory.join(PathBuf::from(name)).display())
        })?;
        names.push(text);
    }
    names.sort();
    Ok(names)
}

fn named(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| format!("`{path}`: {error}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
        let context = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = context.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::replace(&path, text.as_bytes(), 0o644).unwrap();
        }
        context
    }

    fn sent(context: &Path, dockerfile: &str) -> Vec<String> {
        let bytes = archive(context, dockerfile).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
        let path = |entry: tar::Entry<'_, &[u8]>| entry.path().unwrap().display().to_string();
        entries.map(path).collect()
    }

    #[test]
    fn what_is_ignored_is_not_sent() {
        let context = context(&[
            (".dockerignore", "*\n!src\n**/*.pem\n!out/of/reach/kept\n"),
            ("Dockerfile", ""),
            ("out/of/reach/kept", ""),
            ("out/of/secret", ""),
            ("secret", ""),
            ("src/ca.pem", ""),
            ("src/main.rs", ""),
        ]);
        let all = [".dockerignore", "Dockerfile", "out/of/reach/kept", "src", "src/main.rs"];
        assert_eq!(sent(context.path(), "Dockerfile"), all);
    }

    #[test]
    fn values_stay_at_home_unless_a_file_takes_them_in() {
        let files =
            [(".env", ""), (".git/HEAD", ""), (".git/config", ""), ("web/.env", ""), ("Dockerfile", "")];
        let mut files = files.to_vec();
        let plain = context(&files);
        assert_eq!(sent(plain.path(), "Dockerfile"), [".git", ".git/HEAD", "Dockerfile", "web"]);
        files.push((".dockerignore", "!web/.env\n"));
        let asked = context(&files);
        assert!(sent(asked.path(), "Dockerfile").contains(&"web/.env".to_owned()));
        assert!(!sent(asked.path(), "Dockerfile").contains(&".env".to_owned()));
    }

    #[test]
    fn the_file_beside_the_dockerfile_comes_first() {
        let context = context(&[
            (".dockerignore", "docker\nkept\n"),
            ("docker/agent.Dockerfile", ""),
            ("docker/agent.Dockerfile.dockerignore", "secret\n"),
            ("kept", ""),
            ("secret", ""),
        ]);
        let names = sent(context.path(), "docker/agent.Dockerfile");
        assert!(names.contains(&"kept".to_owned()) && !names.contains(&"secret".to_owned()), "{names:?}");
        assert!(!sent(context.path(), "Dockerfile").contains(&"kept".to_owned()));
    }

    #[test]
    fn links_travel_as_links() {
        let outside = context(&[("secret", "hidden words")]);
        let context = context(&[("Dockerfile", "")]);
        std::os::unix::fs::symlink(outside.path(), context.path().join("directory")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), context.path().join("file")).unwrap();
        let bytes = archive(context.path(), "Dockerfile").unwrap();
        assert_eq!(sent(context.path(), "Dockerfile"), ["Dockerfile", "directory", "file"]);
        assert!(!String::from_utf8_lossy(&bytes).contains("hidden words"));
    }

    #[test]
    fn an_ignore_file_that_cannot_be_read_is_no_empty_one() {
        let context = context(&[(".dockerignore", "ok\n[\n"), ("Dockerfile", "")]);
        let error = archive(context.path(), "Dockerfile").unwrap_err().to_string();
        assert!(error.contains(".dockerignore`, line 2: `[` is no pattern"), "{error}");
    }
}
