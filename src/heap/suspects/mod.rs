//! What may be a leak: containers in which a great share of the heap has gathered, and classes whose
//! instances are one, by the rules of Eclipse MAT's leak report
//! (org.eclipse.mat.inspections.FindLeaksQuery) on the dominator tree, with Python's containers.
//!
//! A suspect is an owner which keeps much alive that no owner below it does: of a leaking list that
//! is the list, not the instance, module or frame that has it. Modules, namespaces, classes and
//! CPython's own tables are places where a healthy program keeps its code, and are never suspects
//! themselves; what lies directly in them, or is shared by several owners, is looked at by class.

mod chain;
mod container;
mod search;

pub use container::Form;

use super::graph::Stopped;
use super::growth::{Before, Past};
use super::thing::Thing;
use super::{Heap, PathError, RootPath};
use crate::addr::Addr;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;

/// The share of the heap that makes a suspect, in percent: that of Eclipse MAT. Of five leaks that
/// are equally bad each is still told.
pub const SHARE: u64 = 20;

/// The bytes that make a suspect if a caller has no better measure: the whole heap of a program that
/// has just imported its modules is of that size, and has no leak.
pub const FLOOR: u64 = 4 << 20;

/// Of an owner this much, in percent, has to be in one that it owns for both to be the same suspect:
/// MAT's big drop ratio.
const BIG_DROP: u64 = 70;

/// Kinds of what has gathered that are told.
const MOST_KINDS: usize = 4;

/// What is worth telling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuspectBounds {
    /// The least share of the heap, in percent.
    pub share: u64,
    /// The least bytes; both have to be reached.
    pub floor: u64,
    /// The most suspects that are told.
    pub most: usize,
}

impl Default for SuspectBounds {
    fn default() -> SuspectBounds {
        SuspectBounds {
            share: SHARE,
            floor: FLOOR,
            most: 10,
        }
    }
}

/// The suspects in a heap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Suspects {
    /// Objects in all.
    pub objects: u64,
    /// The bytes of those that some root reaches.
    pub bytes: u64,
    /// The bytes of those that none does, which are garbage and are not looked at.
    pub unreachable: u64,
    /// What a suspect retains at least, in bytes.
    pub least: u64,
    /// Those that gathered most first.
    pub suspects: Vec<Suspect>,
    /// How many are left out.
    pub left_out: usize,
}

/// What may be a leak.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Suspect {
    /// What it is.
    #[serde(flatten)]
    pub who: Accused,
    /// The bytes that have gathered.
    pub gathered: u64,
    /// What has gathered by kind, the kind that retains most first.
    pub kinds: Vec<Gathered>,
    /// How many kinds are left out.
    pub kinds_left_out: usize,
    /// Of the first kind the object that retains most.
    pub example: Option<Thing>,
    /// The shortest way to the container, or to the example where there is none.
    pub path: Option<RootPath>,
    /// What was in it in an older dump, if it was there and that is known.
    pub before: Option<Before>,
    /// What tells this leak from others in two runs of a program: class, form of the container, path.
    pub keywords: Vec<String>,
}

/// What is suspected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "suspect", rename_all = "kebab-case")]
pub enum Accused {
    /// An object in which others have gathered.
    Container(Container),
    /// One object that is large itself.
    Object {
        /// The object.
        object: Thing,
    },
    /// Objects of which each refers to the next.
    Chain {
        /// The first one.
        object: Thing,
        /// How many of its kind there are.
        length: u64,
    },
    /// All instances of a class, which no container that is known keeps together.
    Class {
        /// The class's full name.
        name: Arc<str>,
        /// Its address.
        address: Addr,
    },
}

/// A container in which objects have gathered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Container {
    /// The container.
    pub object: Thing,
    /// What sort of container it is.
    pub form: Form,
    /// What `len` tells of it, where that is known.
    pub length: Option<u64>,
    /// The object whose attributes it has, if it is such a dictionary.
    pub attributes_of: Option<Thing>,
    /// What it retains, in bytes.
    pub retained: u64,
    /// The highest owner of which it is nearly all.
    pub owner: Option<Thing>,
    /// What that retains, in bytes.
    pub owner_retained: u64,
    /// Whether what has gathered is held by others beside it, so that it would not be freed with it.
    pub shared: bool,
}

/// What has gathered of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Gathered {
    /// The kind, as `heap` names it.
    pub kind: String,
    /// How many there are.
    pub count: u64,
    /// Their own bytes.
    pub own: u64,
    /// What they retain, in bytes.
    pub retained: u64,
}

impl Suspects {
    /// Adds what was in each suspect in an older dump, and puts those first that grew most.
    pub fn since(&mut self, new: &Heap, old: &Heap) {
        let past = Past::of(old);
        for suspect in &mut self.suspects {
            suspect.before = past.before(new, suspect);
        }
        self.suspects.sort_by_key(|suspect| {
            let before = suspect.before.map_or(0, |before| before.retained);
            Reverse(suspect.gathered.saturating_sub(before))
        });
    }
}

impl Heap {
    /// What may be a leak.
    pub fn suspects(&self, bounds: SuspectBounds) -> Result<Suspects, PathError> {
        let bytes = self.retained.reachable();
        let least = (bytes / 100)
            .saturating_mul(bounds.share)
            .max(bounds.floor)
            .max(1);
        let search = search::Search::new(self, least);
        let mut found = search.find();
        let left_out = found.len().saturating_sub(bounds.most);
        found.truncate(bounds.most);
        let stopped = || self.python.process.cancel.is_cancelled();
        let mut suspects = Vec::with_capacity(found.len());
        for found in &found {
            if stopped() {
                return Err(Stopped.into());
            }
            suspects.push(search.told(found)?);
        }
        Ok(Suspects {
            objects: self.count().into(),
            bytes,
            unreachable: self.retained.unreachable(),
            least,
            suspects,
            left_out,
        })
    }
}
