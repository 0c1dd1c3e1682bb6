//! Objects that each refer to the next: linked lists, exceptions with their contexts. In the
//! dominator tree each of them has nearly all of what the one before it has, so nothing gathers
//! anywhere; the suspect is the first of the chain.

use crate::heap::Heap;
use crate::heap::graph::Parent;

/// The fewest objects of a kind that make a chain: data that is nested by hand is less deep.
const LEAST: u64 = 64;

/// The most objects between two of a kind: a dictionary of attributes, a tuple, a frame and a cell.
const MOST_BETWEEN: u32 = 6;

/// Below the object at which a suspect is found as much is left as a suspect has at least, so of a
/// chain that is of one kind throughout about as great a part: one of so many at least.
const LEAST_BELOW: u64 = 100;

/// A chain that an object belongs to.
pub(super) struct Chain {
    /// The first object.
    pub(super) first: u32,
    /// How many there are of its kind.
    pub(super) length: u64,
}

impl Chain {
    /// The longest chain that leads to an object, by owners.
    pub(super) fn to(heap: &Heap, id: u32) -> Option<Chain> {
        // The object itself may be one of those in between.
        let mut starts = vec![id];
        starts.extend(heap.dominators.chain(id).take(MOST_BETWEEN as usize));
        let chains = starts.into_iter().map(|start| up(heap, start));
        let longest = chains.max_by_key(|chain| chain.length)?;
        let below = below(heap, id, heap.kind_number(longest.first));
        let length = longest.length.saturating_add(below);
        // What hangs at the end of a chain has not gathered in the chain.
        let goes_on = below >= LEAST / 4 && below >= length / LEAST_BELOW;
        (length >= LEAST && goes_on).then_some(Chain { length, ..longest })
    }
}

/// How many of a kind follow below an object: the largest one at each level is gone to.
fn below(heap: &Heap, id: u32, kind: u32) -> u64 {
    let (mut at, mut length, mut between) = (id, 0, 0);
    while between < MOST_BETWEEN {
        let below = heap.children().of(Parent::Node(at)).iter();
        let Some(&next) = below.max_by_key(|id| heap.retained.of(**id)) else {
            break;
        };
        at = next;
        between += 1;
        if heap.kind_number(at) == kind {
            length += 1;
            between = 0;
        }
    }
    length
}

fn up(heap: &Heap, start: u32) -> Chain {
    let kind = heap.kind_number(start);
    let mut chain = Chain {
        first: start,
        length: 1,
    };
    let mut between = 0;
    for above in heap.dominators.chain(start) {
        between += 1;
        if heap.kind_number(above) == kind {
            chain.first = above;
            chain.length += 1;
            between = 0;
        } else if between > MOST_BETWEEN {
            break;
        }
    }
    chain
}
