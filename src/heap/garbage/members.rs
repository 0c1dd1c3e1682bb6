//! What the collector itself knows: which objects it tracks, how often each is referred to, and which
//! of the references it is told of.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::counts::Counts;
use crate::heap::graph::{Chunk, Csr, Malformed};
use crate::heap::marks::{Ids, Marks};
use crate::heap::pieces::Pieces;
use crate::heap::trace::{Follow, Tracer};
use crate::heap::tracked::{self, Tracked};
use crate::python::object::Completeness;
use rayon::prelude::*;

/// Objects that one task reads.
const BATCH: usize = 1 << 14;

/// Stands for: in no list.
const NONE: u8 = u8::MAX;

/// The objects that the collector tracks, with their lists, counts and references to each other.
pub(crate) struct Members {
    /// The lists by their numbers.
    pub(crate) tracked: Tracked,
    /// How often objects are referred to.
    pub(crate) counts: Counts,
    /// The references between tracked objects that the collector is told of.
    pub(crate) told: Csr,
    /// The number of an object's list, by id.
    lists: Vec<u8>,
    /// Whether a list is the one of what `gc.freeze()` has put aside, by its number.
    aside: Vec<bool>,
    /// Whether it is not known what instances of a type tell, by the number of the type.
    vague: Vec<bool>,
}

impl Members {
    /// Walks the collector's lists and reads what it would be told.
    pub(crate) fn read(heap: &Heap) -> Result<Members, Malformed> {
        let python = &heap.python;
        let target = &python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let marks = Marks::new(&pieces);
        let addresses: Vec<u64> = (0..heap.count()).map(|id| heap.address(id).0).collect();
        let places = addresses
            .par_iter()
            .filter_map(|at| pieces.place(Addr(*at)));
        places.for_each(|place| {
            marks.set(place);
        });
        let ids = Ids {
            pieces: &pieces,
            ranks: &marks.ranked(),
        };
        let mut lists = vec![NONE; addresses.len()];
        let mut put = |addr, list: u8| {
            let entry = ids.of(addr).and_then(|id| lists.get_mut(id as usize));
            if let Some(entry) = entry {
                *entry = list;
            }
        };
        let tracked = tracked::each(python, &pieces, &python.process.cancel, &mut put);
        let is_tracked = |id: u32| lists.get(id as usize).is_some_and(|list| *list != NONE);
        let tracer = Tracer::new(&python.objects, &pieces, Follow::Told);
        let read = |(number, addresses): (usize, &[u64])| {
            let first = (number * BATCH) as u32;
            let mut chunk = Chunk::with_capacity(first, addresses.len(), addresses.len());
            for (id, addr) in (first..).zip(addresses) {
                if let Some(kind) = heap.kind(id).filter(|_| is_tracked(id)) {
                    let mut tell = |referent| {
                        if let Some(to) = ids.of(referent).filter(|to| is_tracked(*to)) {
                            chunk.edge(to);
                        }
                    };
                    // A reference that is not read keeps its object alive.
                    let _ = tracer.referents(Addr(*addr), &kind.keeping, &mut tell);
                }
                chunk.close();
            }
            chunk
        };
        let chunks: Vec<Chunk> = addresses.par_chunks(BATCH).enumerate().map(read).collect();
        let is_vague = |completeness| completeness == Completeness::MayHide;
        let kinds = heap.kinds().iter();
        let aside = |list: &tracked::Generation| list.name == tracked::PERMANENT;
        Ok(Members {
            counts: Counts::read(heap, &pieces),
            told: Csr::from_chunks(addresses.len() as u64, chunks)?,
            vague: kinds
                .map(|kind| is_vague(kind.keeping.completeness))
                .collect(),
            aside: tracked.generations.iter().map(aside).collect(),
            tracked,
            lists,
        })
    }

    /// The number of an object's list; `None` for what is not tracked.
    #[inline]
    pub(crate) fn list(&self, id: u32) -> Option<usize> {
        let list = self.lists.get(id as usize).copied()?;
        (list != NONE).then_some(list.into())
    }

    /// Whether an object is in a list that a full collection looks at.
    #[inline]
    pub(crate) fn is_collected(&self, id: u32) -> bool {
        let aside = |list: usize| self.aside.get(list).is_some_and(|aside| *aside);
        self.list(id).is_some_and(|list| !aside(list))
    }

    /// Whether it is known what an object tells the collector.
    #[inline]
    pub(crate) fn is_known(&self, kind: u32) -> bool {
        !self.vague.get(kind as usize).is_some_and(|vague| *vague)
    }
}
