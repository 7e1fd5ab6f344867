//! Pure. The container's mounts, and the mount points that must exist below a checkout before it starts.

use super::facts::{HostFacts, SessionFacts, Shown};
use super::spec::{Mount, MountSource};
use crate::manifest::project::{AgentKind, Cache, CacheScope, Session, VolumeSource};
use std::path::{Path, PathBuf};

/// Directories below a checkout that mounts cover, relative to it. The engine would make them as root.
pub fn mount_points(session: &Session) -> Vec<String> {
    let mut points: Vec<String> = [".clauderon/hooks", ".clauderon/spool"].map(String::from).into();
    match session.agent.kind {
        AgentKind::Claude => points.push(".claude/projects".to_owned()),
        AgentKind::Codex => points.push(".codex".to_owned()),
    }
    let caches = session.caches.iter().flat_map(|cache| cache.paths.iter().map(|(_, path)| path));
    let volumes = session.volumes.iter().map(|volume| &volume.target);
    points
        .extend(caches.chain(volumes).filter_map(|path| path.strip_prefix("/workspace/")).map(String::from));
    points.sort();
    points.dedup();
    points
}

/// What the agent and clauderon write for themselves into a checkout: exact paths, for its own exclude file.
pub fn excludes(session: &Session) -> Vec<String> {
    let mut patterns: Vec<String> = [
        "/.clauderon/",
        "/.claude.json",
        "/.claude.json.*",
        "/.claude/projects/",
        "/.claude/sessions/",
        "/.claude/backups/",
        "/.claude/telemetry/",
        "/.claude/remote-settings.json",
        "/.claude/policy-limits.json",
        "/.claude/session-env/",
        "/.claude/shell-snapshots/",
        "/.claude/history.jsonl",
        "/.claude/paste-cache/",
        "/.claude/plugins/marketplaces/",
        "/.claude/plugins/known_marketplaces.json",
        "/.claude/todos/",
        "/.claude/plans/",
        "/.claude/tasks/",
        "/.claude/file-history/",
        "/.claude/debug/",
        "/.claude/cache/",
        "/.local/share/applications/claude-code-url-handler.desktop",
        "/.local/state/claude/",
        "/.local/share/claude/",
        "/.cache/claude/",
        "/.cache/claude-cli-nodejs/",
        "/.codex/",
        "/.cargo/.package-cache",
        "/.cargo/.package-cache-mutate",
        "/.cargo/.global-cache",
        "/.bash_history",
    ]
    .map(String::from)
    .into();
    let caches = session.caches.iter().flat_map(|cache| cache.paths.iter());
    patterns.extend(
        caches.filter_map(|(_, path)| path.strip_prefix("/workspace")).map(|path| format!("{path}/")),
    );
    patterns.sort();
    patterns.dedup();
    patterns
}

/// All mounts of a session, sorted by target.
pub fn mounts(
    id: &str,
    project: &str,
    session: &Session,
    host: &HostFacts,
    facts: &SessionFacts,
) -> Vec<Mount> {
    let mut mounts = own(id, session, host);
    mounts.extend(checkout(facts));
    for cache in &session.caches {
        for (name, target) in cache_volumes(cache, project, &session.name) {
            let source = MountSource::Volume { name, scope: cache.scope };
            mounts.push(Mount { source, target, read_only: false });
        }
    }
    for volume in &session.volumes {
        let source = match &volume.source {
            VolumeSource::Bind(path) => MountSource::Bind(path.clone()),
            VolumeSource::Named(name) => MountSource::Volume {
                name: format!("clauderon-{project}-{name}"),
                scope: CacheScope::Project,
            },
        };
        mounts.push(Mount { source, target: volume.target.clone(), read_only: volume.read_only });
    }
    mounts.sort_by(|left, right| left.target.cmp(&right.target));
    mounts
}

/// The named volumes of a cache: `(volume, path in the container)`.
pub fn cache_volumes(cache: &Cache, project: &str, session: &str) -> Vec<(String, String)> {
    let prefix = match cache.scope {
        CacheScope::Shared => "clauderon".to_owned(),
        CacheScope::Project => format!("clauderon-{project}"),
        CacheScope::Session => format!("clauderon-{project}-{session}"),
    };
    cache.paths.iter().map(|(suffix, path)| (format!("{prefix}-{suffix}"), path.clone())).collect()
}

fn bind(source: impl Into<PathBuf>, target: impl Into<String>, read_only: bool) -> Mount {
    Mount { source: MountSource::Bind(source.into()), target: target.into(), read_only }
}

fn own(id: &str, session: &Session, host: &HostFacts) -> Vec<Mount> {
    let home = host.home.session(id);
    let mut mounts = vec![
        bind(home.run(), "/run/clauderon", true),
        bind(home.etc(), "/etc/clauderon", true),
        bind(home.hooks(), "/workspace/.clauderon/hooks", true),
        bind(home.spool(), "/workspace/.clauderon/spool", false),
    ];
    match session.agent.kind {
        AgentKind::Claude => {
            mounts.push(bind(home.managed_settings(), "/etc/claude-code", true));
            mounts.push(bind(home.claude_json(), "/workspace/.claude.json", false));
            mounts.push(bind(home.claude_projects(), "/workspace/.claude/projects", false));
        }
        AgentKind::Codex => {
            mounts.push(bind(home.managed_settings(), "/etc/codex", true));
            mounts.push(bind(home.codex(), "/workspace/.codex", false));
        }
    }
    mounts
}

fn checkout(facts: &SessionFacts) -> Vec<Mount> {
    let checkout = &facts.checkout;
    let inside = |path: &Path| {
        let relative = path.strip_prefix(&checkout.directory).unwrap_or(path);
        format!("/workspace/{}", relative.display())
    };
    let mut mounts = vec![bind(&checkout.directory, "/workspace", false)];
    mounts.extend(checkout.borrowed.iter().map(|path| bind(path, path.display().to_string(), true)));
    mounts.extend(checkout.pinned.iter().map(|path| bind(path, inside(path), false)));
    mounts.extend(checkout.read_only.iter().map(|path| bind(path, inside(path), true)));
    let place = |shown: &Shown| Path::new("/workspace").join(&shown.target).display().to_string();
    mounts.extend(checkout.shown.iter().map(|shown| bind(&shown.source, place(shown), shown.read_only)));
    mounts
}
