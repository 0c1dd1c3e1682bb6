//! The types of all objects, numbered in the order in which they are met, each with what its
//! instances have in common.

use super::parts::{self, Form};
use crate::addr::Addr;
use crate::python::object::{Keeping, Objects, Quick};
use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The number of what is no type.
const NONE: u32 = u32::MAX;

/// Entries of a worker's own table, a power of two.
const CACHED: usize = 1 << 12;

/// One type.
#[derive(Debug)]
pub struct Kind {
    /// How references are kept.
    pub keeping: Keeping,
    /// How sizes are told.
    pub(super) size: Quick,
    /// How the blocks are found that belong to instances.
    pub(super) form: Form,
    /// Bytes of an instance's block in front of it.
    pub(super) before: u64,
    /// Whether values of attributes may lie in a block of their own.
    pub(super) values_apart: bool,
}

/// All types met so far.
pub struct Types<'a> {
    objects: &'a Objects,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    numbers: FxHashMap<u64, u32>,
    kinds: Vec<Arc<Kind>>,
}

impl<'a> Types<'a> {
    /// No type yet.
    pub fn new(objects: &'a Objects) -> Types<'a> {
        Types {
            objects,
            known: RwLock::default(),
        }
    }

    /// The types by their numbers.
    pub fn into_kinds(self) -> Vec<Arc<Kind>> {
        let known = self.known.into_inner();
        known.unwrap_or_else(PoisonError::into_inner).kinds
    }

    fn look_up(&self, ty: u64) -> (u32, Option<Arc<Kind>>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(&number) = known.numbers.get(&ty) {
            return (number, known.kinds.get(number as usize).cloned());
        }
        drop(known);
        let kind = self.read(Addr(ty));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&number) = known.numbers.get(&ty) {
            return (number, known.kinds.get(number as usize).cloned());
        }
        let number = match &kind {
            Some(kind) => {
                known.kinds.push(Arc::clone(kind));
                known.kinds.len() as u32 - 1
            }
            None => NONE,
        };
        known.numbers.insert(ty, number);
        (number, kind)
    }

    /// Reads a type; `None` when it is none.
    fn read(&self, addr: Addr) -> Option<Arc<Kind>> {
        if addr.0 < 1 << 12 || !addr.0.is_multiple_of(8) {
            return None;
        }
        let ty = self.objects.type_at(addr).ok()?;
        let keeping = self.objects.keeping(&ty);
        keeping.is_type.then(|| {
            Arc::new(Kind {
                size: self.objects.quick_size(&ty),
                form: self.objects.form(&ty),
                before: self.objects.bytes_before(&ty),
                values_apart: parts::has_values_apart(&self.objects.layout, keeping.attributes),
                keeping,
            })
        })
    }
}

/// What one worker knows of types without asking others.
pub(super) struct Cache<'t, 'a> {
    types: &'t Types<'a>,
    /// By the low bits of the address: a type and its number.
    recent: Vec<(u64, u32)>,
    kinds: Vec<Option<Arc<Kind>>>,
}

impl<'t, 'a> Cache<'t, 'a> {
    pub(super) fn new(types: &'t Types<'a>) -> Cache<'t, 'a> {
        Cache {
            types,
            recent: vec![(0, NONE); CACHED],
            kinds: Vec::new(),
        }
    }

    /// The number of the type at an address; `None` when it is none.
    #[inline]
    pub(super) fn number(&mut self, ty: u64) -> Option<u32> {
        let slot = (ty >> 4) as usize ^ (ty >> 16) as usize;
        if let Some((known, number)) = self.recent.get(slot % CACHED)
            && *known == ty
        {
            return (*number != NONE).then_some(*number);
        }
        let (number, kind) = self.types.look_up(ty);
        if let Some(kind) = kind {
            let at = number as usize;
            if self.kinds.len() <= at {
                self.kinds.resize(at + 1, None);
            }
            if let Some(entry) = self.kinds.get_mut(at) {
                *entry = Some(kind);
            }
        }
        if let Some(entry) = self.recent.get_mut(slot % CACHED) {
            *entry = (ty, number);
        }
        (number != NONE).then_some(number)
    }

    /// The type with a number that this worker was told.
    #[inline]
    pub(super) fn kind(&self, number: u32) -> Option<&Arc<Kind>> {
        self.kinds.get(number as usize)?.as_ref()
    }
}
