//! Pure. The languages of a repository, by the files at its root, and the caches that are worth keeping for each.

use super::Repository;

/// A language that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// Its name.
    pub name: &'static str,
    /// The file that told.
    pub marker: &'static str,
    /// Caches by name, with their path in the container; one without a path is known to the manifest.
    pub caches: &'static [(&'static str, Option<&'static str>)],
}

const fn language(
    name: &'static str,
    marker: &'static str,
    caches: &'static [(&'static str, Option<&'static str>)],
) -> Language {
    Language { name, marker, caches }
}

const PIP: &[(&str, Option<&str>)] = &[("pip", Some("/workspace/.cache/pip"))];
const BUN: &[(&str, Option<&str>)] = &[("bun", Some("/workspace/.bun/install/cache"))];
const GRADLE: &[(&str, Option<&str>)] = &[("gradle", Some("/workspace/.gradle/caches"))];
const GO: &[(&str, Option<&str>)] =
    &[("go-modules", Some("/workspace/go/pkg/mod")), ("go-build", Some("/workspace/.cache/go-build"))];

/// Of each language the first that is there counts: a lock file tells more than a manifest.
const KNOWN: [Language; 22] = [
    language("Rust", "Cargo.toml", &[]),
    language("JavaScript", "pnpm-lock.yaml", &[("pnpm", Some("/workspace/.local/share/pnpm/store"))]),
    language("JavaScript", "yarn.lock", &[("yarn", Some("/workspace/.cache/yarn"))]),
    language("JavaScript", "bun.lock", BUN),
    language("JavaScript", "bun.lockb", BUN),
    language("JavaScript", "package.json", &[("npm", None)]),
    language("Deno", "deno.json", &[("deno", Some("/workspace/.cache/deno"))]),
    language("Python", "uv.lock", &[("uv", Some("/workspace/.cache/uv"))]),
    language("Python", "poetry.lock", &[("poetry", Some("/workspace/.cache/pypoetry"))]),
    language("Python", "pyproject.toml", PIP),
    language("Python", "requirements.txt", PIP),
    language("Python", "setup.py", PIP),
    language("Python", "Pipfile", PIP),
    language("Go", "go.mod", GO),
    language("Java", "pom.xml", &[("maven", Some("/workspace/.m2/repository"))]),
    language("Java", "build.gradle", GRADLE),
    language("Java", "build.gradle.kts", GRADLE),
    language("Ruby", "Gemfile", &[("bundler", Some("/workspace/.bundle/cache"))]),
    language("PHP", "composer.json", &[("composer", Some("/workspace/.cache/composer"))]),
    language("Elixir", "mix.exs", &[("hex", Some("/workspace/.hex"))]),
    language("C#", "global.json", &[("nuget", Some("/workspace/.nuget/packages"))]),
    language("Swift", "Package.swift", &[("swiftpm", Some("/workspace/.cache/org.swift.swiftpm"))]),
];

/// The languages of a repository.
pub fn languages(repository: &Repository) -> Vec<Language> {
    let mut found: Vec<Language> = Vec::new();
    for language in KNOWN.iter().filter(|language| repository.files.contains(language.marker)) {
        if !found.iter().any(|earlier| earlier.name == language.name) {
            found.push(*language);
        }
    }
    found
}
