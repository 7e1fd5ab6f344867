//! The engine's address, found as Docker's own client finds it: `DOCKER_HOST`, the Docker context, the usual sockets.
//! Only a socket of this machine will do: checkouts and the sessions' own sockets are mounted from here.

use crate::error::Error;
use crate::fs;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What the caller's environment says of engines.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    /// `DOCKER_HOST`.
    host: Option<String>,
    /// `DOCKER_CONTEXT`.
    context: Option<String>,
    /// The directory of `config.json` and the contexts.
    config: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    runtime: Option<PathBuf>,
    /// Where a system keeps its sockets: `/`, but in tests.
    root: PathBuf,
}

/// The address of the engine, `unix://` and an absolute path.
pub fn engine() -> Result<String, Error> {
    let named = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let config = named("DOCKER_CONFIG").map(PathBuf::from);
    let usual = || etcetera::home_dir().ok().map(|home| home.join(".docker"));
    find(&Surroundings {
        host: named("DOCKER_HOST"),
        context: named("DOCKER_CONTEXT"),
        config: config.or_else(usual),
        runtime: named("XDG_RUNTIME_DIR").map(PathBuf::from),
        root: PathBuf::from("/"),
    })
}

fn find(surroundings: &Surroundings) -> Result<String, Error> {
    if let Some(host) = &surroundings.host {
        return local(host, "`DOCKER_HOST`");
    }
    match context(surroundings)? {
        Some(name) => of_context(surroundings, &name),
        None => Ok(usual(surroundings)),
    }
}

/// The name of the chosen context; `default` is none.
fn context(surroundings: &Surroundings) -> Result<Option<String>, Error> {
    let chosen = match &surroundings.context {
        Some(name) => Some(name.clone()),
        None => configured(surroundings)?,
    };
    Ok(chosen.filter(|name| !name.is_empty() && name != "default"))
}

fn configured(surroundings: &Surroundings) -> Result<Option<String>, Error> {
    let Some(file) = surroundings.config.as_ref().map(|directory| directory.join("config.json")) else {
        return Ok(None);
    };
    if !fs::exists(&file) {
        return Ok(None);
    }
    Ok(json(&file)?["currentContext"].as_str().map(String::from))
}

fn json(file: &Path) -> Result<Value, Error> {
    let unread = || Error::failed(format!("`{}` cannot be read", file.display()));
    let text = fs::read_to_string(file).map_err(|error| unread().because(error))?;
    serde_json::from_str(&text).map_err(|error| unread().because(error))
}

/// A context is kept below the SHA-256 of its name.
fn of_context(surroundings: &Surroundings, name: &str) -> Result<String, Error> {
    let digest = Sha256::digest(name.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let directory = surroundings.config.clone().unwrap_or_default();
    let file = directory.join("contexts/meta").join(digest).join("meta.json");
    if !fs::exists(&file) {
        return Err(Error::failed(format!("there is no Docker context `{name}`"))
            .hint("`docker context ls` shows those that are there; `docker context use default` chooses the usual one"));
    }
    match json(&file)?["Endpoints"]["docker"]["Host"].as_str() {
        Some(host) if !host.is_empty() => local(host, &format!("the Docker context `{name}`")),
        _ => Ok(usual(surroundings)),
    }
}

/// Refuses an engine of another machine and what is no address.
fn local(host: &str, origin: &str) -> Result<String, Error> {
    match host.split_once("://") {
        Some(("unix", path)) if !path.is_empty() => {
            let path = std::path::absolute(path)
                .map_err(|error| Error::failed(format!("{origin} names no path: `{host}`")).because(error))?;
            Ok(format!("unix://{}", path.display()))
        }
        Some((scheme @ ("tcp" | "ssh" | "http" | "https"), _)) => Err(Error::failed(format!(
            "{origin} names an engine behind {scheme}: `{}`",
            without_password(host)
        ))
        .hint("checkouts and the sessions' sockets are mounted from this machine: the engine must run on it")
        .hint("point DOCKER_HOST at its socket, such as `DOCKER_HOST=unix:///var/run/docker.sock`, or run clauderon on the engine's machine")),
        _ => Err(Error::failed(format!("{origin} is no address of an engine: `{host}`"))
            .hint("write it as `unix://` and the path of a socket, such as `unix:///var/run/docker.sock`")),
    }
}

fn without_password(host: &str) -> String {
    match (host.split_once("://"), host.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => host.to_owned(),
    }
}

/// Docker's socket, that of a rootless Docker, Podman's; where there is none, Docker's.
fn usual(surroundings: &Surroundings) -> String {
    let docker = surroundings.root.join("var/run/docker.sock");
    let of_user = |name| surroundings.runtime.as_ref().map(|run| run.join(name));
    let podman = surroundings.root.join("run/podman/podman.sock");
    let known = [Some(docker.clone()), of_user("docker.sock"), of_user("podman/podman.sock"), Some(podman)];
    let path = known.into_iter().flatten().find(|path| path.exists()).unwrap_or(docker);
    format!("unix://{}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine without any socket.
    fn bare(directory: &Path) -> Surroundings {
        Surroundings {
            config: Some(directory.join("config")),
            runtime: Some(directory.join("run-user")),
            root: directory.to_owned(),
            ..Surroundings::default()
        }
    }

    fn touch(directory: &Path, name: &str, text: &str) -> String {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::replace(&path, text.as_bytes(), 0o600).unwrap();
        format!("unix://{}", path.display())
    }

    fn add_context(directory: &Path, digest: &str, host: &str) {
        let meta =
            serde_json::json!({ "Name": "x", "Metadata": {}, "Endpoints": { "docker": { "Host": host } } });
        touch(directory, &format!("config/contexts/meta/{digest}/meta.json"), &meta.to_string());
    }

    /// `printf colima | sha256sum`.
    const COLIMA: &str = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16";

    #[test]
    fn the_sockets_are_looked_for_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let usual = format!("unix://{}/var/run/docker.sock", here.display());
        assert_eq!(find(&bare(here)).unwrap(), usual);
        for socket in [
            "run/podman/podman.sock",
            "run-user/podman/podman.sock",
            "run-user/docker.sock",
            "var/run/docker.sock",
        ] {
            let address = touch(here, socket, "");
            assert_eq!(find(&bare(here)).unwrap(), address);
        }
        let named = Surroundings { host: Some("unix:///else.sock".into()), ..bare(here) };
        assert_eq!(find(&named).unwrap(), "unix:///else.sock");
    }

    #[test]
    fn contexts_are_read_as_dockers_own_client_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let usual = touch(here, "var/run/docker.sock", "");
        add_context(here, COLIMA, "unix:///colima.sock");
        touch(here, "config/config.json", r#"{"auths": {}, "currentContext": "colima"}"#);
        assert_eq!(find(&bare(here)).unwrap(), "unix:///colima.sock");
        let with = |host: Option<&str>, context: &str| {
            find(&Surroundings {
                host: host.map(String::from),
                context: Some(context.to_owned()),
                ..bare(here)
            })
        };
        assert_eq!(with(None, "default").unwrap(), usual, "`DOCKER_CONTEXT` is above the file");
        assert_eq!(
            with(Some("unix:///a.sock"), "colima").unwrap(),
            "unix:///a.sock",
            "`DOCKER_HOST` is above both"
        );
        let error = with(None, "gone").unwrap_err();
        assert!(error.message.contains("no Docker context `gone`") && !error.hints.is_empty(), "{error:?}");
        touch(here, "config/config.json", r#"{"currentContext": "#);
        assert!(find(&bare(here)).unwrap_err().message.contains("config.json"));
    }

    #[test]
    fn an_engine_of_another_machine_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        for host in ["tcp://10.0.0.5:2376", "ssh://me:word@build.lan"] {
            add_context(here, COLIMA, host);
            for surroundings in [
                Surroundings { host: Some(host.to_owned()), ..bare(here) },
                Surroundings { context: Some("colima".to_owned()), ..bare(here) },
            ] {
                let error = find(&surroundings).unwrap_err();
                assert!(error.hints[0].contains("mounted from this machine"), "{error:?}");
                assert!(!error.message.contains("word"), "{error:?}");
            }
        }
        for host in ["/var/run/docker.sock", "unix://", "npipe:////./pipe/docker_engine"] {
            let error = find(&Surroundings { host: Some(host.to_owned()), ..bare(here) }).unwrap_err();
            assert!(error.message.contains("is no address"), "{error:?}");
        }
    }
}
