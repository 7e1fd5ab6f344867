//! `prune`: what projects that are gone have left. Found, shown, asked about; then looked at again under the project's
//! lock, and what is still left over and was shown is removed.

mod find;
mod remove;
mod session;
mod show;

use super::args::{Format, Prune};
use super::{Code, context, output, terminal};
use crate::error::{Error, Kind};
use crate::plan::prune::{Fate, Options, judge};
use find::Gone;
use show::Outcome;

/// `clauderon prune`.
pub async fn run(args: &Prune) -> Result<Code, Error> {
    let options = Options { force: args.force, volumes: args.volumes, transcripts: args.transcripts };
    let engine = context::engine().await?;
    let gone = find::all(&engine).await?;
    let mut outcomes: Vec<Outcome> = gone.iter().flat_map(|gone| judged(gone, options)).collect();
    let removable = outcomes.iter().filter(|outcome| outcome.fate == Fate::Remove).count();
    if args.dry_run || removable == 0 {
        show::print(&outcomes, args.format, args.dry_run);
        return Ok(if args.dry_run { 0 } else { open(&outcomes) });
    }
    if !args.yes {
        ask(&outcomes, args.format)?;
    }
    let removed = remove::all(&engine, &gone, &mut outcomes, options).await;
    show::print(&outcomes, args.format, false);
    removed.map(|()| open(&outcomes))
}

/// What becomes of all that a project has left.
fn judged(gone: &Gone, options: Options) -> Vec<Outcome> {
    let things = gone.things.iter().map(|(thing, _)| thing.clone()).collect();
    let judged = judge(things, options);
    judged.into_iter().map(|(thing, fate)| Outcome::new(gone, thing, fate)).collect()
}

/// Has a person agree; without a terminal it is refused.
fn ask(outcomes: &[Outcome], format: Format) -> Result<(), Error> {
    let refused =
        |why: &str| Error::new(Kind::Refused, why).hint("`clauderon prune --yes` removes it unasked");
    if !terminal::is_interactive() {
        show::print(outcomes, format, true);
        return Err(refused("nothing was removed: that needs a yes"));
    }
    output::say(show::text(outcomes, true).trim_end());
    let (count, bytes) = show::total(outcomes, Fate::Remove);
    let question = format!("Remove {} ({})?", show::things(count), show::size(bytes));
    if super::consent::agrees(&question) { Ok(()) } else { Err(refused("nothing was removed")) }
}

/// How it ends: what waits for a decision is told by the exit code.
fn open(outcomes: &[Outcome]) -> Code {
    let waits = |outcome: &&Outcome| matches!(&outcome.fate, Fate::Keep(keep) if keep.open);
    if outcomes.iter().any(|outcome| waits(&outcome)) { 3 } else { 0 }
}
