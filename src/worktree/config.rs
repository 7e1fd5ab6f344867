//! The config of a checkout: what git needs there, what the user's repository says of files, and no credential.

use std::path::Path;

use git2::{Config, ConfigLevel, Repository};

use super::error::Error;

/// Keys of the user's repository that decide how files are written and compared.
const COPIED: [&str; 4] = ["core.autocrlf", "core.eol", "core.safecrlf", "core.symlinks"];

/// Writes the text of the `.git/config` of a checkout that is to lie beside a file that is there.
pub fn text(parent: &Repository, neighbour: &Path) -> Result<String, Error> {
    let mut config = parent.config().map_err(Error::git("read the repository's config"))?;
    let config = config.snapshot().map_err(Error::git("read the repository's config"))?;
    let mut text = String::from(
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n",
    );
    let local = config.open_level(ConfigLevel::Local).ok();
    for key in COPIED {
        if let Some(value) = local.as_ref().and_then(|local| local.get_string(key).ok()) {
            let name = key.strip_prefix("core.").unwrap_or(key);
            text.extend(["\t", name, " = ", &quoted(&value), "\n"]);
        }
    }
    // The user's repository may have come from a file system that differs.
    if takes_names_for_one(neighbour) {
        text.push_str("\tignorecase = true\n");
    }
    text.push_str("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[branch]\n\tautoSetupMerge = false\n");
    if let Ok(url) = config.get_string("remote.origin.url") {
        let url = quoted(&without_credential(&url));
        text.extend([
            "[remote \"origin\"]\n\turl = ",
            &url,
            "\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
        ]);
    }
    if let Some(local) = local {
        text.push_str(&filters(&local)?);
    }
    Ok(text)
}

/// Whether the file system finds a file by its name in capitals.
fn takes_names_for_one(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_ascii_uppercase();
    std::fs::symlink_metadata(file.with_file_name(name)).is_ok()
}

/// What git has to know to fetch what a partial clone left away: pairs of key and value, which may hold a credential.
pub fn promisors(parent: &Repository) -> Result<Vec<(String, String)>, Error> {
    let failed = || Error::git("read the repository's remotes");
    let config = parent.config().and_then(|mut config| config.snapshot()).map_err(failed())?;
    let mut pairs = Vec::new();
    let mut entries = config.entries(Some("^remote\\..*\\.promisor$")).map_err(failed())?;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(failed())?;
        let Some(remote) = entry.name().ok().and_then(|name| name.strip_suffix(".promisor")) else {
            continue;
        };
        for key in ["promisor", "partialclonefilter", "url"] {
            let name = format!("{remote}.{key}");
            if let Ok(value) = config.get_string(&name) {
                pairs.push((name, value));
            }
        }
    }
    Ok(pairs)
}

/// Filters that only the user's repository defines, such as those of `git lfs install --local`.
fn filters(local: &Config) -> Result<String, Error> {
    let mut text = String::new();
    let failed = || Error::git("read the repository's filters");
    let mut entries =
        local.entries(Some("^filter\\..*\\.(clean|smudge|process|required)$")).map_err(failed())?;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(failed())?;
        let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else {
            continue;
        };
        let Some((section, key)) = name.strip_prefix("filter.").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        text.extend(["[filter ", &quoted(section), "]\n\t", key, " = ", &quoted(value), "\n"]);
    }
    Ok(text)
}

fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// The URL without the user and password that someone may have written into it; the user of ssh stays.
fn without_credential(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let Some((user, host)) = authority.rsplit_once('@') else {
        return url.to_owned();
    };
    if !scheme.contains("ssh") {
        return format!("{scheme}://{host}{path}");
    }
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_credential() {
        let pairs = [
            ("https://u:secret@h.example/a@b", "https://h.example/a@b"),
            ("https://token@h.example", "https://h.example"),
            ("ssh://git:secret@h.example/a", "ssh://git@h.example/a"),
            ("git@h.example:a/b.git", "git@h.example:a/b.git"),
            ("https://h.example/a", "https://h.example/a"),
            ("/srv/git/a", "/srv/git/a"),
        ];
        for (given, expected) in pairs {
            assert_eq!(without_credential(given), expected);
        }
    }

    #[test]
    fn a_value_cannot_leave_its_line() {
        assert_eq!(quoted("a\"\n[core]\\"), "\"a\\\"\\n[core]\\\\\"");
    }
}
