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
use std::collections::BTreeSet;
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

fn keep(shown: &mut [&mut Outcome], reason: &str, remedy: &str) {
    for outcome in shown {
        outcome.fate = Fate::Keep(Keep::open(reason, remedy));
    }
}

async fn project(
    engine: &Engine,
    gone: &Gone,
    shown: &mut [&mut Outcome],
    options: Options,
) -> Result<(), Error> {
    let _alone = match Alone::now(&engine.home, &gone.name, &gone.root, "prune").await? {
        Ok(alone) => alone,
        Err(holder) => {
            keep(
                shown,
                &format!("{holder} is at work on the project"),
                "let it come to its end, and prune again",
            );
            return Ok(());
        }
    };
    let Some(now) = find::again(engine, &gone.name, &gone.root).await? else {
        keep(shown, "the project is there again", "`clauderon down` takes it away");
        return Ok(());
    };
    let (containers, rest): (Vec<Outcome>, Vec<Outcome>) =
        judged(&now, options).into_iter().partition(|outcome| outcome.thing.kind == Kind::Container);
    let mut used = BTreeSet::new();
    for outcome in containers {
        let id = outcome.thing.id.clone();
        if !settle(engine, gone, shown, outcome).await? {
            used.insert(id);
        }
    }
    forget(engine, &rest, &used).await?;
    for outcome in rest {
        if let Some(kept) = kept(&outcome, &used, shown) {
            for asked in shown.iter_mut().filter(|asked| asked.is_same(&outcome)) {
                asked.fate = Fate::Keep(kept.clone());
            }
        } else {
            settle(engine, gone, shown, outcome).await?;
        }
    }
    // What went away by itself is gone too.
    for outcome in shown.iter_mut().filter(|outcome| outcome.fate == Fate::Remove) {
        outcome.removed = true;
    }
    Ok(())
}

/// What the removal so far has a thing kept for: a container that was started since, or for what the project is remembered
/// by, anything that is kept. By that it is found again.
fn kept(outcome: &Outcome, used: &BTreeSet<String>, shown: &[&mut Outcome]) -> Option<Keep> {
    let Thing { kind, id, .. } = &outcome.thing;
    if used.contains(id) || (id.is_empty() && !used.is_empty()) {
        return Some(Keep::open("its container is in use", "prune again"));
    }
    let own = id.is_empty() && *kind == Kind::State;
    (own && shown.iter().any(|shown| shown.fate != Fate::Remove)).then(|| Keep {
        reason: "something of the project is kept".to_owned(),
        remedy: "prune again".to_owned(),
        open: false,
    })
}

/// Does with one thing as it is judged now, where it was shown; `false` for one that stays.
async fn settle(
    engine: &Engine,
    gone: &Gone,
    shown: &mut [&mut Outcome],
    now: Outcome,
) -> Result<bool, Error> {
    let Some(asked) = shown.iter_mut().find(|asked| asked.is_same(&now)) else { return Ok(false) };
    asked.losses = now.losses;
    asked.fate = match now.fate {
        Fate::Remove => match one(engine, gone, &now.thing).await? {
            None => {
                asked.removed = true;
                Fate::Remove
            }
            Some(used) => Fate::Keep(Keep::open(used, "end what uses it, and prune again")),
        },
        kept @ Fate::Keep(_) => kept,
    };
    Ok(asked.removed)
}

/// The daemon serves a session no longer whose container is gone.
async fn forget(engine: &Engine, rest: &[Outcome], used: &BTreeSet<String>) -> Result<(), Error> {
    let mut ids: Vec<String> = rest.iter().map(|outcome| outcome.thing.id.clone()).collect();
    ids.retain(|id| !id.is_empty() && !used.contains(id));
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
    let act = move |record: &Record| {
        match kind {
            Kind::Checkout => loss::remove_checkout(record)?,
            Kind::Transcripts => session::remove_transcripts(&home, &record.id)?,
            _ => session::remove_state(&home, record)?,
        }
        session::finish(&home, record)
    };
    let done = tokio::task::spawn_blocking(move || act(&record)).await;
    let done: Result<(), worktree::error::Error> =
        done.map_err(|error| Error::failed("a task ended early").because(error))?;
    done.map_err(|error| {
        Error::failed(format!("could not remove the {} `{}`", kind.word(), thing.name)).because(error)
    })
}
