//! Copies what a commit needs out of a quarantine into the user's object database, children before parents, so that
//! an object's existence there always implies that of all it names, even after a kill half-way.

use std::collections::HashMap;

use git2::{ObjectType, Odb, OdbLookupFlags, Oid};

use super::error::Error;
use super::object::{self, Child, Malformed};
use super::quarantine::Quarantine;

const MAX_OBJECTS: usize = 1_000_000;
const MAX_BYTES: usize = 4 << 30;

/// Why a commit is not taken in; it stays in the checkout.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// One of its objects is missing, too large, or not what its hash says.
    #[error("the object {0} is missing, broken or too large")]
    Missing(Oid),
    /// One of its objects is of another kind than where it is named.
    #[error("the object {0} is not of the kind that it has to be")]
    Kind(Oid),
    /// One of its objects is malformed.
    #[error("the object {0} is {1}")]
    Malformed(Oid, Malformed),
    /// It needs more than anything honest.
    #[error("it needs more than {MAX_OBJECTS} objects or {MAX_BYTES} bytes")]
    TooMuch,
    /// The transfer itself failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Where the objects of a checkout go.
pub struct Transfer<'q, 'r, 'o> {
    quarantine: &'q mut Quarantine<'r>,
    parent: &'o Odb<'o>,
    write: bool,
    done: HashMap<Oid, ObjectType>,
    bytes: usize,
}

struct Frame {
    id: Oid,
    kind: ObjectType,
    data: Vec<u8>,
    children: std::vec::IntoIter<Child>,
}

impl<'q, 'r, 'o> Transfer<'q, 'r, 'o> {
    /// A transfer into the parent's objects.
    pub fn into_parent(quarantine: &'q mut Quarantine<'r>, parent: &'o Odb<'o>) -> Self {
        Self { quarantine, parent, write: true, done: HashMap::new(), bytes: 0 }
    }

    /// Only gathers in the quarantine what the parent lacks.
    pub fn gather(quarantine: &'q mut Quarantine<'r>, parent: &'o Odb<'o>) -> Self {
        Self { write: false, ..Self::into_parent(quarantine, parent) }
    }

    /// Brings a commit and all that it needs.
    pub fn commit(&mut self, tip: Oid) -> Result<(), Refusal> {
        let mut stack = Vec::new();
        stack.extend(self.enter((tip, ObjectType::Commit))?);
        while let Some(frame) = stack.last_mut() {
            if let Some(child) = frame.children.next() {
                stack.extend(self.enter(child)?);
            } else if let Some(frame) = stack.pop() {
                self.leave(&frame)?;
            }
        }
        Ok(())
    }

    /// The frame of an object that is to be brought; `None` for one that is there.
    fn enter(&mut self, (id, expected): Child) -> Result<Option<Frame>, Refusal> {
        if let Some(kind) = self.known(id)? {
            return if kind == expected { Ok(None) } else { Err(Refusal::Kind(id)) };
        }
        let (kind, data) = self.quarantine.read(id)?.ok_or(Refusal::Missing(id))?;
        if kind != expected {
            return Err(Refusal::Kind(id));
        }
        self.bytes += data.len();
        if self.done.len() >= MAX_OBJECTS || self.bytes > MAX_BYTES {
            return Err(Refusal::TooMuch);
        }
        let children = object::children(kind, &data).map_err(|why| Refusal::Malformed(id, why))?;
        Ok(Some(Frame { id, kind, data, children: children.into_iter() }))
    }

    /// The kind of an object that needs no bringing.
    fn known(&mut self, id: Oid) -> Result<Option<ObjectType>, Refusal> {
        if let Some(kind) = self.done.get(&id) {
            return Ok(Some(*kind));
        }
        if !self.parent.exists_ext(id, OdbLookupFlags::NO_REFRESH) {
            return Ok(None);
        }
        let (_, kind) = self.parent.read_header(id).map_err(Error::git("read an object"))?;
        self.done.insert(id, kind);
        Ok(Some(kind))
    }

    fn leave(&mut self, frame: &Frame) -> Result<(), Refusal> {
        if self.write {
            let written = self.parent.write(frame.kind, &frame.data);
            if written.map_err(Error::git("write an object"))? != frame.id {
                return Err(Refusal::Missing(frame.id));
            }
        }
        self.done.insert(frame.id, frame.kind);
        Ok(())
    }
}
