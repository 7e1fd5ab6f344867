//! Watching a manifest's files: in the foreground of `up`, or in the daemon for those that `up --detach` left to it.

use super::address;
use super::named::Named;
use super::reload::Reload;
use super::remedy::file_error;
use crate::daemon::client::Client;
use crate::error::Error;
use crate::fs;
use crate::home::Home;
use crate::manifest::project::Project;
use crate::render::identity::short_hash;
use crate::watch::Files;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinHandle;

/// When a look that did not come to its end is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether the daemon answers.
const READY: Duration = Duration::from_millis(100);

/// Watches in the foreground, after an `up` that has gone by this project. The daemon leaves the manifest alone meanwhile.
pub async fn foreground(
    home: Home,
    named: Named,
    project: &Project,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(), Error> {
    leave_alone(&home, &named.root)?;
    let mut reload = Reload::new(named, home, address::engine()?, true).after(project);
    watch(&mut reload, say, false).await;
    Ok(())
}

/// Leaves the manifest to the daemon.
pub fn leave(home: &Home, named: &Named) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(named).unwrap_or_default();
    let left = || {
        fs::create_private_dir(&home.watches())?;
        let _held = fs::lock(&home.watches_lock())?;
        fs::replace(&place(home, &named.root), &text, 0o600)
    };
    left().map_err(file_error)
}

/// Has the daemon watch a manifest no longer.
pub fn leave_alone(home: &Home, root: &Path) -> Result<(), Error> {
    fs::remove_file(&place(home, root)).map_err(file_error)
}

/// One file a project root.
pub fn place(home: &Home, root: &Path) -> PathBuf {
    home.watches().join(format!("{}.json", short_hash(&root.to_string_lossy())))
}

/// Watches one manifest; to its end where that is `bounded` by its sessions.
async fn watch(reload: &mut Reload, say: &(dyn Fn(&str) + Sync), bounded: bool) {
    let mut trouble = None;
    loop {
        // Watched first, and read then: what changes meanwhile is seen.
        let mut files = Files::arm(&reload.files);
        if files.trouble() != trouble.as_deref() {
            trouble = files.trouble().map(str::to_owned);
            if let Some(trouble) = &trouble {
                say(&format!("note: {trouble}"));
            }
        }
        let before = reload.files.clone();
        for line in reload.look().await {
            say(&line);
        }
        if reload.files != before {
            continue;
        }
        let changed = files.changed(&reload.named.root);
        if reload.is_due() {
            let _ = tokio::time::timeout(AGAIN, changed).await;
        } else {
            changed.await;
        }
        if bounded && reload.records().is_ok_and(|records| records.is_empty()) {
            return;
        }
    }
}

/// Watches for the daemon until this is dropped, on a thread of its own: what is read of a manifest, however much and
/// however slowly, holds up no session.
pub async fn daemon(home: Home, engine: String) {
    let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "no edits of manifests are seen"),
        };
        runtime.block_on(async {
            tokio::select! {
                () = all(home, engine) => {}
                _ = &mut ended => {}
            }
        });
        runtime.shutdown_background();
    });
    if let Err(error) = thread.await {
        tracing::error!(%error, "edits of manifests are no longer seen");
    }
    // Without it, what runs goes on.
    std::future::pending::<()>().await;
    drop(end);
}

/// What was left to the daemon, as long as it is.
async fn all(home: Home, engine: String) {
    let mut running: BTreeMap<PathBuf, (Named, Ending)> = BTreeMap::new();
    let watches = home.watches();
    // Where it is missing its parent is watched, to which each line of the audit log is news.
    if let Err(error) = fs::create_private_dir(&watches) {
        tracing::error!(%error, "edits of manifests may be seen late");
    }
    // What holds at once is asked of the daemon as everybody does it.
    while Client::connect(&home).await.is_err() {
        tokio::time::sleep(READY).await;
    }
    loop {
        let mut files = Files::arm_directory(&watches);
        let wanted = left(&home);
        running.retain(|place, (named, task)| wanted.get(place) == Some(named) && !task.0.is_finished());
        for (place, named) in wanted {
            running.entry(place.clone()).or_insert_with(|| {
                let reload = Reload::new(named.clone(), home.clone(), engine.clone(), false);
                (named, Ending(tokio::spawn(until_down(reload, home.clone(), place))))
            });
        }
        // No repository's git is waited for.
        files.changed(Path::new("/")).await;
    }
}

/// Watches a manifest until none of its sessions is up.
async fn until_down(mut reload: Reload, home: Home, place: PathBuf) {
    let root = reload.named.root.display().to_string();
    loop {
        watch(&mut reload, &|line: &str| tracing::info!(root, "{line}"), true).await;
        match taken_back(&reload, &home, &place) {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => {
                tracing::warn!(root, %error, "a manifest without sessions is still watched");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Takes a manifest without sessions off the list. An `up` makes its sessions first and leaves its manifest then.
fn taken_back(reload: &Reload, home: &Home, place: &Path) -> Result<bool, Error> {
    let _held = fs::lock(&home.watches_lock()).map_err(file_error)?;
    let is_down = reload.records()?.is_empty();
    if is_down {
        fs::remove_file(place).map_err(file_error)?;
    }
    Ok(is_down)
}

/// The manifests that were left to the daemon. A file that cannot be read is one of another release.
fn left(home: &Home) -> BTreeMap<PathBuf, Named> {
    let names = fs::list(&home.watches()).unwrap_or_default();
    let is_whole = |name: &String| Path::new(name).extension().is_some_and(|end| end == "json");
    let places = names.into_iter().filter(is_whole).map(|name| home.watches().join(name));
    let read = |place: PathBuf| {
        let text = fs::read_small(&place, 1 << 20)?;
        Some((place, serde_json::from_str(&text).ok()?))
    };
    places.filter_map(read).collect()
}

/// A task that ends with whoever holds this.
struct Ending(JoinHandle<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}
