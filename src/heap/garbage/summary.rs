//! Garbage in numbers: how much there is, where, and in cycles of which shapes.

use super::Garbage;
use super::hanging::{NOBODY, SHARED};
use crate::addr::Addr;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;

/// Cycles that are made of as many objects of the same types.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shape {
    /// How many cycles.
    pub cycles: u64,
    /// Objects of all of them.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that only hang on them.
    pub hanging: u64,
    /// The bytes of these.
    pub hanging_bytes: u64,
    /// The types of one cycle, and how many objects it has of each.
    pub types: Vec<(Arc<str>, u64)>,
    /// An object of the largest of them.
    pub example: Addr,
    /// The number of the cycle that that is of.
    #[serde(skip)]
    pub(super) largest: u32,
}

/// Garbage of one list of the collector.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FoundIn {
    /// What the list is called.
    pub name: String,
    /// The interpreter's id.
    pub interpreter: i64,
    /// How many objects.
    pub objects: u64,
}

/// All garbage in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GarbageSummary {
    /// Objects that a collection would find unreachable.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that would be freed with them.
    pub hanging: u64,
    /// The bytes of these.
    pub hanging_bytes: u64,
    /// Objects among those found that would not be freed, because of a `__del__` (2.7).
    pub uncollectable: u64,
    /// Objects among those found that a reference of a type that is not known decides about.
    pub unsure: u64,
    /// Objects among those found that have a finalizer, which may keep them alive.
    pub finalizers: u64,
    /// Weak references whose callbacks would be called.
    pub callbacks: u64,
    /// Objects that would be found if they, or what holds them, were not frozen.
    pub frozen: u64,
    /// Objects that are referred to more often than they count; they are taken to be alive.
    pub contradictions: u64,
    /// How many of them each list of the collector has.
    pub lists: Vec<FoundIn>,
    /// How many cycles there are.
    pub cycles: u64,
    /// Objects and bytes that hang on several cycles, or on none.
    pub shared: (u64, u64),
    /// The shapes of cycles, those of most bytes first.
    pub shapes: Vec<Shape>,
    /// How many shapes are left out.
    pub left_out: usize,
}

impl Garbage {
    /// All garbage in numbers, with at most `most` shapes.
    pub fn summary(&self, most: usize) -> GarbageSummary {
        let heap = &self.heap;
        let (mut bytes, mut shared) = (0_u64, (0_u64, 0_u64));
        let count = self.cycles.count() as usize;
        let mut own = vec![(0_u64, 0_u64); count];
        let mut hanging = vec![(0_u64, 0_u64); count];
        let mut hanging_bytes = 0_u64;
        let mut lists = vec![0_u64; self.members.tracked.generations.len()];
        let mut is_member = vec![false; 0];
        is_member.resize(heap.count() as usize, false);
        for number in 0..self.cycles.count() {
            for id in self.cycles.members(number) {
                if let Some(entry) = is_member.get_mut(*id as usize) {
                    *entry = true;
                }
            }
        }
        let mut add = |id: u32| {
            let size = heap.size(id);
            let group = self.cycles.group(id);
            let member = is_member.get(id as usize).is_some_and(|is| *is);
            let entry = match group {
                NOBODY | SHARED => Some(&mut shared),
                group if member => own.get_mut(group as usize),
                group => hanging.get_mut(group as usize),
            };
            if let Some((objects, bytes)) = entry {
                *objects += 1;
                *bytes = bytes.saturating_add(size);
            }
            size
        };
        for id in self.unreachable.iter() {
            bytes = bytes.saturating_add(add(id));
            let list = self.members.list(id).and_then(|list| lists.get_mut(list));
            if let Some(count) = list {
                *count += 1;
            }
        }
        for id in &self.hanging {
            hanging_bytes = hanging_bytes.saturating_add(add(*id));
        }
        let mut shapes = self.shapes(&own, &hanging);
        let left_out = shapes.len().saturating_sub(most);
        shapes.truncate(most);
        let generations = self.members.tracked.generations.iter();
        let lists = generations.zip(lists).map(|(list, objects)| FoundIn {
            name: list.name.to_string(),
            interpreter: list.interpreter,
            objects,
        });
        let objects = self.unreachable.len();
        GarbageSummary {
            objects,
            bytes,
            hanging: self.hanging.len() as u64,
            hanging_bytes,
            uncollectable: self.kept.len(),
            unsure: objects.saturating_sub(self.sure.len()),
            finalizers: self.finalizers.len() as u64,
            callbacks: self.callbacks,
            frozen: self.frozen.len(),
            contradictions: self.contradictions,
            lists: lists.filter(|list| list.objects > 0).collect(),
            cycles: self.cycles.count().into(),
            shared,
            shapes,
            left_out,
        }
    }

    /// The shapes of cycles, those of most bytes first. Objects and bytes are given by cycle, of its own
    /// and of what hangs on it.
    fn shapes(&self, own: &[(u64, u64)], hanging: &[(u64, u64)]) -> Vec<Shape> {
        let mut known: FxHashMap<Vec<(u32, u64)>, (Shape, u64)> = FxHashMap::default();
        for (number, (own, hanging)) in (0..).zip(own.iter().zip(hanging)) {
            let members = self.cycles.members(number);
            let kinds = self.kinds(members);
            let whole = own.1.saturating_add(hanging.1);
            let (shape, largest) = known.entry(kinds).or_insert_with_key(|kinds| {
                let shape = Shape {
                    cycles: 0,
                    objects: 0,
                    bytes: 0,
                    hanging: 0,
                    hanging_bytes: 0,
                    types: self.names(kinds),
                    example: Addr::NULL,
                    largest: number,
                };
                (shape, 0)
            });
            shape.cycles += 1;
            shape.objects += own.0;
            shape.bytes = shape.bytes.saturating_add(own.1);
            shape.hanging += hanging.0;
            shape.hanging_bytes = shape.hanging_bytes.saturating_add(hanging.1);
            if shape.cycles == 1 || whole > *largest {
                *largest = whole;
                shape.largest = number;
                let first = members.first().copied().unwrap_or(u32::MAX);
                shape.example = self.heap.address(first);
            }
        }
        let mut shapes: Vec<Shape> = known.into_values().map(|(shape, _)| shape).collect();
        let bytes = |shape: &Shape| shape.bytes.saturating_add(shape.hanging_bytes);
        shapes.sort_by_key(|shape| (Reverse(bytes(shape)), shape.example));
        shapes
    }

    /// How many of these objects are of each type, by its number; the most frequent first.
    fn kinds(&self, ids: &[u32]) -> Vec<(u32, u64)> {
        let mut kinds: Vec<u32> = ids.iter().map(|id| self.heap.kind_number(*id)).collect();
        kinds.sort_unstable();
        let same = kinds.chunk_by(|a, b| a == b);
        let count = |run: &[u32]| Some((*run.first()?, run.len() as u64));
        let mut counts: Vec<(u32, u64)> = same.filter_map(count).collect();
        counts.sort_by_key(|(kind, count)| (Reverse(*count), *kind));
        counts
    }

    /// The names of types, with how many objects are of each.
    fn names(&self, kinds: &[(u32, u64)]) -> Vec<(Arc<str>, u64)> {
        let objects = &self.heap.python.objects;
        let name = |number: u32| match self.heap.kinds().get(number as usize) {
            Some(kind) => objects.full_name(&kind.keeping.ty),
            None => "?".into(),
        };
        kinds
            .iter()
            .map(|(kind, count)| (name(*kind), *count))
            .collect()
    }

    /// The types of objects.
    pub(super) fn types(&self, ids: &[u32]) -> Vec<(Arc<str>, u64)> {
        self.names(&self.kinds(ids))
    }
}
