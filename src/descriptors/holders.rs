//! What keeps many descriptors open: the object that alone keeps many of their owners alive, by the
//! tree of dominators; else the one that the shortest ways to many of them lead through.

use super::tree::{Spread, spreads};
use super::{Descriptor, Kind};
use crate::heap::graph::Parent;
use crate::heap::{Heap, RootPath, Thing, Ways};
use crate::python::object::flags;
use serde::Serialize;
use std::collections::BTreeMap;

/// What keeps fewer descriptors than this is not worth a line, nor is less than this part of all.
const LEAST: usize = 10;
const LEAST_PART: usize = 20;

/// How an object keeps descriptors open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Every way to their owners leads through it: without it they would be closed.
    Alone,
    /// The shortest ways to their owners lead through it, and others lead past it.
    Among,
}

/// An object that keeps several descriptors open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Holder {
    /// The object.
    pub object: Thing,
    /// Whether it does so alone.
    pub hold: Hold,
    /// How many descriptors.
    pub count: usize,
    /// How many of each kind, the most frequent first.
    pub kinds: Vec<(Kind, usize)>,
    /// The exception or traceback that keeps the object alive with hardly anything else.
    pub exception: Option<Thing>,
    /// Why the object is alive.
    pub path: Option<RootPath>,
    /// One of the descriptors, and why its owner is alive.
    pub example: Option<Example>,
    /// Whether that owner is a constant of a code object.
    pub constants: bool,
    /// All of the descriptors.
    pub fds: Vec<i32>,
}

/// One descriptor of many.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Example {
    /// The descriptor.
    pub fd: i32,
    /// Why its owner is alive.
    pub path: Option<RootPath>,
}

/// The objects that keep many of these descriptors open, the one with most first.
pub(super) fn find(heap: &Heap, ways: &Ways, all: &[Descriptor]) -> Vec<Holder> {
    let owned = all.iter().filter_map(|descriptor| {
        let owner = descriptor.owners.first()?;
        Some((descriptor, owner.id))
    });
    let (owned, owners): (Vec<&Descriptor>, Vec<u32>) = owned.unzip();
    let least = LEAST.max(all.len() / LEAST_PART);
    let class = |id: u32| heap.kind_number(id);
    let dominator = |id: u32| match heap.dominators.parent(id) {
        Parent::Node(above) => Some(above),
        Parent::Root | Parent::Unreachable => None,
    };
    let alone = spreads(&owners, least, dominator, class);
    // What two variables of a module refer to dies only with the whole module: the variables say more.
    let namespaces = heap.namespaces();
    let is_namespace = |spread: &Spread| namespaces.contains_key(&spread.id);
    let (of_modules, alone): (Vec<Spread>, Vec<Spread>) = alone.into_iter().partition(is_namespace);
    let mut held = vec![false; owned.len()];
    for position in alone.iter().flat_map(|spread| &spread.marked) {
        held[*position] = true;
    }
    let free = (0..owned.len()).filter(|position| !held[*position]);
    let free: Vec<usize> = free.collect();
    let others: Vec<u32> = free.iter().map(|position| owners[*position]).collect();
    let mut among = spreads(&others, least, |id| ways.before(id), class);
    for spread in &mut among {
        spread.marked.iter_mut().for_each(|at| *at = free[*at]);
    }
    // Those that the module's own variables are.
    let hold = |spread: &Spread| {
        let own = of_modules.iter().find(|own| own.id == spread.id);
        let all = own.is_some_and(|own| {
            let mut marked = spread.marked.iter();
            marked.all(|at| own.marked.binary_search(at).is_ok())
        });
        if all { Hold::Alone } else { Hold::Among }
    };
    let alone = alone.into_iter().map(|spread| (Hold::Alone, spread));
    let among = among.into_iter().map(|spread| (hold(&spread), spread));
    let found = alone.chain(among);
    let mut found: Vec<Holder> = found
        .map(|(hold, spread)| holder(heap, ways, hold, &spread, &owned))
        .collect();
    found.sort_by_key(|holder| std::cmp::Reverse(holder.count));
    found
}

fn holder(heap: &Heap, ways: &Ways, hold: Hold, spread: &Spread, owned: &[&Descriptor]) -> Holder {
    let members = spread.marked.iter().filter_map(|at| owned.get(*at));
    let members: Vec<&&Descriptor> = members.collect();
    let is_exception = |id: &u32| {
        let kind = heap.kind(*id);
        kind.is_some_and(|kind| kind.keeping.ty.is(flags::EXCEPTION))
    };
    let is_traceback = |id: &u32| *heap.class(*id) == *"traceback";
    let chain = || [spread.id].into_iter().chain(spread.above.iter().copied());
    // The outermost one is what the program refers to.
    let exception = chain().filter(is_exception).last();
    let exception = exception.or_else(|| chain().filter(is_traceback).last());
    let example_way = members
        .first()
        .and_then(|first| ways.to(first.owners.first()?.id));
    let constants = example_way.is_some_and(|way| {
        let below = way.iter().skip_while(|id| **id != spread.id);
        below.skip(1).any(|id| *heap.class(*id) == *"code")
    });
    let example = members.first().map(|descriptor| Example {
        fd: descriptor.fd,
        path: descriptor
            .owners
            .first()
            .and_then(|owner| heap.way_in_words(ways, owner.id)),
    });
    Holder {
        object: heap.thing(spread.id),
        hold,
        count: members.len(),
        kinds: kinds(members.iter().map(|descriptor| descriptor.kind)),
        exception: exception.map(|id| heap.thing(id)),
        path: heap.way_in_words(ways, spread.id),
        example,
        constants,
        fds: members.iter().map(|descriptor| descriptor.fd).collect(),
    }
}

/// How many there are of each kind, the most frequent first.
pub(super) fn kinds(all: impl Iterator<Item = Kind>) -> Vec<(Kind, usize)> {
    let mut counts = BTreeMap::new();
    all.for_each(|kind| *counts.entry(kind).or_insert(0) += 1);
    let mut counts: Vec<(Kind, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
