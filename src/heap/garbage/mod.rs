//! Garbage: what a full collection would find unreachable if it ran now, by the collector's own rules
//! (Modules/gcmodule.c, Python/gc.c, Python/gc_free_threading.c), in the cycles that it is made of.

mod cycles;
mod deduce;
mod finalizers;
mod hanging;
pub(crate) mod members;
mod one;
mod reasons;
mod summary;

pub use one::{GarbageCycle, Link};
pub use reasons::reasons;
pub use summary::{FoundIn, GarbageSummary, Shape};

use super::graph::{Malformed, NodeSet, Stopped, Watch, reachable};
use super::{Heap, HeapError, weak};
use cycles::Cycles;
use finalizers::Finalizers;
pub(crate) use members::Members;
use std::sync::Arc;

/// What the collector would find.
pub struct Garbage {
    heap: Arc<Heap>,
    members: Members,
    /// What a collection would find unreachable.
    unreachable: NodeSet,
    /// Those of it that it is sure of: of types that are not known, no reference was needed to tell.
    sure: NodeSet,
    /// What would be found if nothing was frozen, beside that.
    frozen: NodeSet,
    /// What the collector of 2.7 finds, but does not free.
    kept: NodeSet,
    cycles: Cycles,
    /// What is freed together with it without being found.
    hanging: Vec<u32>,
    /// Objects with a finalizer in Python or C.
    finalizers: Vec<u32>,
    /// Weak references from outside whose callbacks would be called.
    callbacks: u64,
    /// Objects that are referred to more often than they count.
    contradictions: u64,
}

impl From<Malformed> for HeapError {
    fn from(problem: Malformed) -> HeapError {
        HeapError::TooLarge(problem)
    }
}

impl Garbage {
    /// Finds what the collector would.
    pub fn of(heap: &Arc<Heap>) -> Result<Garbage, HeapError> {
        let members = Members::read(heap)?;
        let watch = Watch::quiet(&heap.python.process.cancel);
        let (told, counts) = (&members.told, &members.counts);
        let is_collected = |id| members.is_collected(id);
        let found = deduce::unreachable(told, counts, is_collected, |_| true, &watch)?;
        let is_known = |id| members.is_known(heap.kind_number(id));
        let sure = deduce::unreachable(told, counts, is_collected, is_known, &watch)?.unreachable;
        let unreachable = found.unreachable;
        let frozen = frozen(&members, &unreachable, &watch)?;
        let finalizers = Finalizers::of(heap);
        let ended = finalizers.among(&unreachable);
        let kept = match finalizers.are_kept() {
            true => {
                let all = reachable(told, ended.iter().copied(), &watch)?;
                NodeSet::filled(heap.count(), |id| {
                    all.contains(id) && unreachable.contains(id)
                })
            }
            false => NodeSet::new(heap.count()),
        };
        let mut cycles = Cycles::of(told, &unreachable, &watch)?;
        let freed = NodeSet::filled(heap.count(), |id| {
            unreachable.contains(id) && !kept.contains(id)
        });
        let references = heap.references();
        let hanging = hanging::freed(references, &freed, &mut cycles.groups, counts);
        Ok(Garbage {
            callbacks: callbacks(heap, &unreachable),
            heap: Arc::clone(heap),
            sure,
            frozen,
            kept,
            cycles,
            hanging,
            finalizers: ended,
            contradictions: found.contradictions,
            unreachable,
            members,
        })
    }

    /// The objects that a collection would find unreachable.
    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.unreachable.iter()
    }

    /// What would be freed with them because nothing else holds it.
    pub fn hanging(&self) -> &[u32] {
        &self.hanging
    }
}

/// What only the list of frozen objects keeps from being found.
fn frozen(members: &Members, unreachable: &NodeSet, watch: &Watch<'_>) -> Result<NodeSet, Stopped> {
    let nodes = members.told.nodes();
    let is_tracked = |id| members.list(id).is_some();
    if !(0..nodes).any(|id| is_tracked(id) && !members.is_collected(id)) {
        return Ok(NodeSet::new(nodes));
    }
    let (told, counts) = (&members.told, &members.counts);
    let all = deduce::unreachable(told, counts, is_tracked, |_| true, watch)?.unreachable;
    Ok(NodeSet::filled(nodes, |id| {
        all.contains(id) && !unreachable.contains(id)
    }))
}

/// How many weak references that stay have a callback that would be called.
fn callbacks(heap: &Heap, unreachable: &NodeSet) -> u64 {
    if unreachable.is_empty() {
        return 0;
    }
    let objects = &heap.python.objects;
    let calls = |(referent, own): &(u32, u32)| {
        // `wr_callback` follows `wr_object`.
        let callback = objects.after(heap.address(*own), weak::CALLBACK);
        unreachable.contains(*referent)
            && !unreachable.contains(*own)
            && objects
                .memory
                .ptr(callback)
                .is_ok_and(|callback| !callback.is_null())
    };
    heap.weak_references()
        .iter()
        .filter(|pair| calls(pair))
        .count() as u64
}
