//! A checkout in the manifest's words, in those of `worktree`, and in those of a container.

use crate::manifest::project;
use crate::render::facts::{CheckoutFacts, Shown};
use crate::worktree::checkout::{Checkout, Kind};

/// What the manifest asks for.
pub fn kind(wanted: project::Checkout) -> Kind {
    match wanted {
        project::Checkout::Clone => Kind::Clone,
        project::Checkout::Worktree => Kind::Worktree,
        project::Checkout::Shared => Kind::Shared,
    }
}

/// What a container is to know of a checkout.
pub fn facts(fresh: bool, made: Checkout) -> CheckoutFacts {
    let kind = match made.kind {
        Kind::Clone => project::Checkout::Clone,
        Kind::Worktree => project::Checkout::Worktree,
        Kind::Shared => project::Checkout::Shared,
    };
    let shown = made.shown.into_iter().map(|it| Shown {
        source: it.source,
        target: it.target,
        read_only: it.read_only,
    });
    CheckoutFacts {
        kind,
        fresh,
        directory: made.directory,
        borrowed: made.borrowed,
        pinned: made.pinned,
        read_only: made.read_only,
        shown: shown.collect(),
    }
}
