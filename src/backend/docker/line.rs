//! Pure. A container in the words of Docker's command line: what `convert` says to its API, said to `docker run`.
//! Detached, since an attached client would ask for streams that our own call does not ask for.

use super::convert::nano_cpus;
use crate::manifest::project::PullPolicy;
use crate::render::shell;
use crate::render::spec::{ContainerSpec, Mount, MountSource};

/// The command that makes and starts a container, over several lines, quoted for a shell.
pub fn line(spec: &ContainerSpec, pull: PullPolicy) -> String {
    shell::command(&groups(spec, pull))
}

/// The words, those that belong together in a group.
fn groups(spec: &ContainerSpec, pull: PullPolicy) -> Vec<Vec<String>> {
    let mut groups = vec![words(&["docker", "run", "--detach"])];
    let mut option = |name: &str, value: String| groups.push(vec![format!("--{name}"), value]);
    option("name", spec.name.clone());
    match pull {
        PullPolicy::Missing => {}
        PullPolicy::Always => option("pull", "always".to_owned()),
        PullPolicy::Never => option("pull", "never".to_owned()),
    }
    option("user", spec.user.clone());
    option("workdir", "/workspace".to_owned());
    option("network", if spec.sealed { "none" } else { "bridge" }.to_owned());
    spec.extra_hosts.iter().for_each(|host| option("add-host", host.clone()));
    option("cap-drop", "ALL".to_owned());
    spec.capabilities.iter().for_each(|capability| option("cap-add", capability.clone()));
    option("security-opt", "no-new-privileges".to_owned());
    limits(spec, &mut option);
    option("restart", "no".to_owned());
    spec.mounts.iter().for_each(|one| option("mount", mount(one)));
    spec.environment.iter().for_each(|(name, value)| option("env", format!("{name}={value}")));
    spec.labels.iter().for_each(|(name, value)| option("label", format!("{name}={value}")));
    groups.push(words(&["--init", "--no-healthcheck"]));
    if spec.terminal {
        groups.push(words(&["--tty", "--interactive"]));
    }
    let (program, arguments) =
        spec.argv.split_first().map_or((None, [].as_slice()), |(it, rest)| (Some(it), rest));
    groups.extend(program.map(|program| vec!["--entrypoint".to_owned(), program.clone()]));
    groups.push(std::iter::once(&spec.image).chain(arguments).cloned().collect());
    groups
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn limits(spec: &ContainerSpec, option: &mut impl FnMut(&str, String)) {
    option("pids-limit", spec.pids.to_string());
    if let Some(bytes) = spec.memory {
        option("memory", bytes.to_string());
    }
    if let Some(cpus) = spec.cpus {
        // The client refuses more digits than a billionth has.
        let nano = nano_cpus(cpus);
        option("cpus", format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000));
    }
}

fn mount(mount: &Mount) -> String {
    let (kind, source) = match &mount.source {
        MountSource::Bind(path) => ("bind", path.display().to_string()),
        MountSource::Volume { name, .. } => ("volume", name.clone()),
    };
    let mut fields =
        vec![format!("type={kind}"), format!("source={source}"), format!("target={}", mount.target)];
    if mount.read_only {
        fields.push("readonly".to_owned());
    }
    fields.iter().map(|field| csv(field)).collect::<Vec<_>>().join(",")
}

/// One field of a line of comma-separated values, which is how the client reads a mount.
fn csv(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::project::CacheScope;

    #[test]
    fn every_part_of_a_spec_is_said() {
        let spec = ContainerSpec {
            name: "clauderon-shop-a".to_owned(),
            image: "agents:1".to_owned(),
            argv: words(&["bash", "-c", "echo $HOME"]),
            environment: [("PROMPT".to_owned(), "it's\n$HERE".to_owned())].into(),
            user: "1000:1000".to_owned(),
            mounts: vec![
                Mount {
                    source: MountSource::Bind("/a \"b\",c".into()),
                    target: "/x".to_owned(),
                    read_only: true,
                },
                Mount {
                    source: MountSource::Volume { name: "v".to_owned(), scope: CacheScope::Shared },
                    target: "/y".to_owned(),
                    read_only: false,
                },
            ],
            labels: [("clauderon.id".to_owned(), "1".to_owned())].into(),
            sealed: true,
            extra_hosts: words(&["host.docker.internal:127.0.0.1"]),
            terminal: true,
            cpus: Some(1.5),
            memory: Some(1 << 30),
            pids: 64,
            capabilities: Vec::new(),
        };
        let expected = r#"docker run --detach \
  --name clauderon-shop-a \
  --pull never \
  --user 1000:1000 \
  --workdir /workspace \
  --network none \
  --add-host host.docker.internal:127.0.0.1 \
  --cap-drop ALL \
  --security-opt no-new-privileges \
  --pids-limit 64 \
  --memory 1073741824 \
  --cpus 1.500000000 \
  --restart no \
  --mount 'type=bind,"source=/a ""b"",c",target=/x,readonly' \
  --mount 'type=volume,source=v,target=/y' \
  --env 'PROMPT=it'\''s
$HERE' \
  --label 'clauderon.id=1' \
  --init --no-healthcheck \
  --tty --interactive \
  --entrypoint bash \
  agents:1 -c 'echo $HOME'
"#;
        assert_eq!(line(&spec, PullPolicy::Never), expected);
    }
}
