//! Which group each object of the graph belongs to, and what the groups are called.

use super::dicts::Dicts;
use super::owners::Owners;
use super::tracking::Tracking;
use super::{By, Partition, Row, kind_key, kind_name, memory};
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::parts::{Blocks, Parts, Reserved};
use crate::heap::pieces::Pieces;
use crate::heap::types::Kind;
use crate::python::Python;
use crate::python::object::TypeInfo;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// Objects that one task looks at.
const BATCH: usize = 1 << 16;

/// The longest name of a module, in characters.
const LONGEST_NAME: u64 = 1000;

/// What is told of objects whose type is none.
const NO_TYPE: &str = "(type not known)";

/// The groups of all objects of a graph.
pub struct Grouping<'h> {
    heap: &'h Heap,
    by: By,
    how: How,
}

/// How the group of an object is told.
enum How {
    Kind(Dicts),
    Type,
    /// For each kind the number of its module's name, and the names.
    Module(Vec<u32>, Vec<String>),
    Size,
    Owner(Owners),
    Tracked(Tracking),
    Memory(memory::Places),
}

impl<'h> Grouping<'h> {
    /// Gets ready to tell groups. For some of them all objects are looked at.
    pub fn of(heap: &'h Heap, by: By) -> Grouping<'h> {
        let how = match by {
            By::Kind => How::Kind(Dicts::of(heap)),
            By::Type => How::Type,
            By::Module => {
                let (numbers, names) = modules(heap);
                How::Module(numbers, names)
            }
            By::Size => How::Size,
            By::Owner => How::Owner(Owners::of(heap)),
            By::Interpreter => How::Tracked(Tracking::of(heap, false)),
            By::Generation => How::Tracked(Tracking::of(heap, true)),
            By::Alloc => How::Memory(memory::Places::of(heap)),
        };
        Grouping { heap, by, how }
    }

    /// What stands for the group of an object.
    pub fn key(&self, id: u32) -> u64 {
        let class = || self.heap.kind(id).map_or(0, |kind| kind.keeping.ty.addr.0);
        match &self.how {
            How::Kind(dicts) => match dicts.owner(id) {
                Some(class) => kind_key(class, true),
                None => kind_key(class(), false),
            },
            How::Type => class(),
            How::Module(numbers, _) => {
                let number = numbers.get(self.heap.kind_number(id) as usize);
                number.map_or(u64::MAX, |number| u64::from(*number))
            }
            How::Size => self.heap.size(id),
            How::Owner(owners) => owners.number(id).into(),
            How::Tracked(tracking) => tracking.number(id).into(),
            How::Memory(places) => places.number(self.heap.address(id)).into(),
        }
    }

    /// What a group is called.
    pub fn name(&self, key: u64) -> String {
        let objects = &self.heap.python.objects;
        let class = |addr: u64| match objects.type_at(Addr(addr)) {
            Ok(ty) if addr != 0 => objects.full_name(&ty).to_string(),
            _ => NO_TYPE.to_owned(),
        };
        match &self.how {
            How::Kind(_) => kind_name(&class(key & !1), key & 1 == 1),
            How::Type => class(key),
            How::Module(_, names) => {
                let name = names.get(usize::try_from(key).unwrap_or(usize::MAX));
                name.map_or(NO_TYPE, |name| name).to_owned()
            }
            How::Size => key.to_string(),
            How::Owner(owners) => owners.name(key).to_owned(),
            How::Tracked(tracking) => tracking.name(key),
            How::Memory(_) => memory::name(key).to_owned(),
        }
    }

    /// Puts these objects, or all there are, into their groups.
    pub fn partition(&self, ids: Option<&[u32]>) -> Partition {
        type Sums = FxHashMap<u64, (u64, u64)>;
        let add = |mut sums: Sums, id: u32| {
            let sum = sums.entry(self.key(id)).or_default();
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(self.heap.size(id));
            sums
        };
        let join = |all: Sums, other: Sums| {
            // The smaller one is put into the larger one.
            let (mut all, other) = if all.len() < other.len() {
                (other, all)
            } else {
                (all, other)
            };
            for (key, (count, bytes)) in other {
                let sum = all.entry(key).or_default();
                sum.0 += count;
                sum.1 = sum.1.saturating_add(bytes);
            }
            all
        };
        let sums = match ids {
            Some(ids) => {
                let parts = ids.par_iter().with_min_len(BATCH).copied();
                parts.fold(Sums::default, add).reduce(Sums::default, join)
            }
            None => {
                let parts = (0..self.heap.count()).into_par_iter().with_min_len(BATCH);
                parts.fold(Sums::default, add).reduce(Sums::default, join)
            }
        };
        let rows = sums.into_iter().map(|(key, (count, bytes))| Row {
            key,
            name: self.name(key),
            count,
            bytes,
        });
        Partition::new(self.by, rows.collect())
    }

    /// What belongs to these objects, or to all there are, by group.
    pub fn blocks(&self, ids: Option<&[u32]>) -> FxHashMap<u64, Blocks> {
        let target = &self.heap.python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let parts = Parts::new(&self.heap.python, &pieces);
        let reserved = Reserved::new(&self.heap.python, &pieces);
        type Sums = FxHashMap<u64, Blocks>;
        let add = |mut sums: Sums, id: u32| {
            if let Some(kind) = self.heap.kind(id) {
                let blocks = parts.blocks(self.heap.address(id), kind, &reserved);
                sums.entry(self.key(id)).or_default().add(blocks);
            }
            sums
        };
        let join = |mut all: Sums, other: Sums| {
            for (key, blocks) in other {
                all.entry(key).or_default().add(blocks);
            }
            all
        };
        match ids {
            Some(ids) => {
                let ids = ids.par_iter().with_min_len(BATCH).copied();
                ids.fold(Sums::default, add).reduce(Sums::default, join)
            }
            None => {
                let ids = (0..self.heap.count()).into_par_iter().with_min_len(BATCH);
                ids.fold(Sums::default, add).reduce(Sums::default, join)
            }
        }
    }

    /// Those of these objects, or of all there are, that belong to a group; by id.
    pub fn select(&self, ids: Option<&[u32]>, key: u64) -> Vec<u32> {
        let belongs = |id: &u32| self.key(*id) == key;
        match ids {
            Some(ids) => ids.par_iter().copied().filter(belongs).collect(),
            None => (0..self.heap.count())
                .into_par_iter()
                .filter(belongs)
                .collect(),
        }
    }
}

/// For each kind the number of its module, and the names of the modules.
fn modules(heap: &Heap) -> (Vec<u32>, Vec<String>) {
    let mut known: FxHashMap<String, u32> = FxHashMap::default();
    let mut names = Vec::new();
    let mut number = |kind: &Kind| {
        let name = module(&heap.python, &kind.keeping.ty);
        *known.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            names.len() as u32 - 1
        })
    };
    let numbers = heap.kinds().iter().map(|kind| number(kind)).collect();
    (numbers, names)
}

/// The module of a class: what its `__module__` says, or the beginning of its full name.
fn module(python: &Python, ty: &TypeInfo) -> String {
    let objects = &python.objects;
    let said = objects
        .own_attribute(ty, "__module__")
        .filter(|_| ty.is_heap());
    let text = said.and_then(|said| objects.text(said, LONGEST_NAME).ok());
    let two = python.layout.fields.instance.is_some();
    match text {
        Some(text) => text.value,
        None => match objects.full_name(ty).rsplit_once('.') {
            Some((module, _)) => module.to_owned(),
            None if two => "__builtin__".to_owned(),
            None => "builtins".to_owned(),
        },
    }
}
