//! Removes what is left over: a project at a time, under its lock, after another look. What runs since, is used since or
//! came since is left alone.

use super::find::{self, Gone, remembered};
use super::show::Outcome;
use super::{judged, session};
use crate::backend::Backend;
use crate::cli::alone::Alone;
use crate::cli::context::Engine;
use crate::cli::remedy::{engine_error, file_error};
use crate::cli::{ground, loss, watch};
use crate::daemon::record::{self, Record};
use crate::error::Error;
use crate::fs;
use crate::plan::prune::{Fate, Keep, Kind, Options, Thing};
use crate::worktree;
use std::path::Path;

/// Removes all that was judged so and shown. The outcomes tell what became of it, to the point where it failed.
pub async fn all(
    engine: &Engine,
    gone: &[Gone],
    outcomes: &mut [Outcome],
    options: Options,
) -> Result<(), Error> {
    for gone in gone {
        let mut shown: Vec<&mut Outcome> = outcomes
            .iter_mut()
            .filter(|outcome| outcome.is_of(gone) && outcome.fate == Fate::Remove)
            .collect();
        if !shown.is_empty() {
            project(engine, gone, &mut shown, options).await?;
        }
    }
    Ok(())
}

async fn project(
    engine: &Engine,
    gone: &Gone,
    shown: &mut [&mut Outcome],
    options: Options,
) -> Result<(), Error> {
    let all = |shown: &mut [&mut Outcome], reason: &str, remedy: &str| {
        shown.iter_mut().for_each(|outcome| outcome.fate = Fate::Keep(Keep::open(reason, remedy)));
    };
    let _alone = match Alone::now(&engine.home, &gone.name, &gone.root, "prune").await? {
        Ok(alone) => alone,
        Err(holder) => {
            all(
                shown,
                &format!("{holder} is at work on the project"),
                "let it come to its end, and prune again",
            );
            return Ok(());
        }
    };
    let Some(now) = find::again(engine, &gone.name, &gone.root).await? else {
        all(shown, "the project is there again", "`clauderon down` takes it away");
        return Ok(());
    };
    let judged = judged(&now, options);
    forget(engine, &judged).await?;
    for outcome in judged {
        let Some(asked) = shown.iter_mut().find(|asked| asked.is_same(&outcome)) else { continue };
        asked.fate = match outcome.fate {
            Fate::Remove => match one(engine, gone, &outcome.thing).await? {
                None => {
                    asked.removed = true;
                    Fate::Remove
                }
                Some(used) => Fate::Keep(Keep::open(used, "end what uses it, and prune again")),
            },
            kept @ Fate::Keep(_) => kept,
        };
    }
    // What went away by itself is gone too.
    shown
        .iter_mut()
        .filter(|outcome| outcome.fate == Fate::Remove)
        .for_each(|outcome| outcome.removed = true);
    Ok(())
}

/// The daemon serves a session no longer whose container or state goes.
async fn forget(engine: &Engine, judged: &[Outcome]) -> Result<(), Error> {
    let stays = |id: &str| {
        let of = |outcome: &&Outcome| outcome.thing.id == id && outcome.thing.kind == Kind::Container;
        judged.iter().filter(of).any(|outcome| outcome.fate != Fate::Remove)
    };
    let mut ids: Vec<String> = judged.iter().map(|outcome| outcome.thing.id.clone()).collect();
    ids.retain(|id| !id.is_empty() && !stays(id));
    ids.sort();
    ids.dedup();
    ground::forget(&engine.home, &ids).await
}

/// Removes one thing; what keeps it from being removed, if anything does.
async fn one(engine: &Engine, gone: &Gone, thing: &Thing) -> Result<Option<String>, Error> {
    let docker = &engine.docker;
    let used = |removed: bool, why: &str| (!removed).then(|| why.to_owned());
    match thing.kind {
        Kind::Container if thing.condition == crate::plan::prune::Condition::Running => {
            docker.remove(&thing.handle).await.map_err(engine_error)?;
            Ok(None)
        }
        Kind::Container => {
            let removed = docker.remove_stopped(&thing.handle).await.map_err(engine_error)?;
            Ok(used(removed, "it was started in the meantime"))
        }
        Kind::Volume => {
            let users = docker.remove_volume(&thing.handle).await.map_err(engine_error)?;
            Ok((!users.is_empty()).then(|| format!("it is in use by {}", users.join(", "))))
        }
        Kind::Image => {
            let removed = docker.remove_image(&thing.handle).await.map_err(engine_error)?;
            Ok(used(removed, "a container or another name uses it"))
        }
        Kind::State if thing.id.is_empty() => {
            let key = (gone.name.clone(), gone.root.clone());
            let places = remembered(engine, &key, gone.shares_root);
            if !gone.shares_root {
                watch::leave_alone(&engine.home, Path::new(&gone.root))?;
            }
            places.iter().try_for_each(|place| fs::remove_file(place)).map_err(file_error)?;
            Ok(None)
        }
        Kind::Checkout | Kind::Transcripts | Kind::State => of_home(engine, thing).await.map(|()| None),
    }
}

async fn of_home(engine: &Engine, thing: &Thing) -> Result<(), Error> {
    let Some(record) = record::read(&engine.home, &thing.id).map_err(file_error)? else { return Ok(()) };
    let (home, kind) = (engine.home.clone(), thing.kind);
    let act = move |record: &Record| match kind {
        Kind::Checkout => loss::remove_checkout(record),
        Kind::Transcripts => session::remove_transcripts(&home, &record.id),
        _ => session::remove_state(&home, record),
    };
    let done = tokio::task::spawn_blocking(move || act(&record)).await;
    let done: Result<(), worktree::error::Error> =
        done.map_err(|error| Error::failed("a task ended early").because(error))?;
    done.map_err(|error| {
        Error::failed(format!("could not remove the {} `{}`", kind.word(), thing.name)).because(error)
    })
}
