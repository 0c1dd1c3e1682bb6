//! One cycle of garbage in full: its objects, how they refer to each other, and what hangs on it.

use super::Garbage;
use crate::addr::Addr;
use crate::heap::Thing;
use crate::heap::label::vias;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;

/// The most references between two objects that are told.
const MOST_WAYS: usize = 4;

/// The most objects whose way around is looked for.
const MOST_SEARCHED: usize = 1 << 16;

/// One reference within a cycle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Link {
    /// The object that refers.
    pub from: Addr,
    /// The one that is referred to.
    pub to: Addr,
    /// How, in words.
    pub words: String,
}

/// One cycle of garbage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GarbageCycle {
    /// How many objects it has.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first of the objects.
    pub members: Vec<Thing>,
    /// A shortest way around through its first object.
    pub around: Vec<Link>,
    /// The references between the objects that are told.
    pub links: Vec<Link>,
    /// Whether objects or references are left out.
    pub left_out: bool,
    /// Objects that only hang on it.
    pub hanging: u64,
    /// The bytes of these.
    pub hanging_bytes: u64,
    /// Their types, and how many there are of each.
    pub hanging_types: Vec<(Arc<str>, u64)>,
    /// Other garbage that refers to it: it would not be freed alone.
    pub held_by: u64,
}

impl Garbage {
    /// The largest cycle of the shape that is the n-th of the summary, from 1 on.
    pub fn nth(&self, shape: usize, most: usize) -> Option<GarbageCycle> {
        let summary = self.summary(shape);
        let shape = summary.shapes.get(shape.checked_sub(1)?)?;
        Some(self.cycle(shape.largest, most))
    }

    /// The cycle that the object at an address is of or hangs on.
    pub fn cycle_of(&self, address: Addr, most: usize) -> Option<GarbageCycle> {
        let group = self.cycles.group(self.heap.id(address)?);
        (group < self.cycles.count()).then(|| self.cycle(group, most))
    }

    /// A cycle, with at most so many objects and references.
    fn cycle(&self, number: u32, most: usize) -> GarbageCycle {
        let heap = &self.heap;
        let members = self.cycles.members(number);
        let is_hanging =
            |id: &u32| self.cycles.group(*id) == number && members.binary_search(id).is_err();
        let mut hanging: Vec<u32> = self.unreachable.iter().filter(is_hanging).collect();
        hanging.extend(self.hanging.iter().copied().filter(is_hanging));
        let size = |ids: &[u32]| {
            let sizes = ids.iter().map(|id| heap.size(*id));
            sizes.fold(0, u64::saturating_add)
        };
        let around = self.around(members);
        let mut links = Vec::new();
        'all: for from in members {
            let mut targets = self.members.told.targets_of(*from).to_vec();
            targets.sort_unstable();
            targets.dedup();
            for to in targets
                .iter()
                .filter(|to| members.binary_search(to).is_ok())
            {
                if links.len() >= most {
                    break 'all;
                }
                links.push(self.link(*from, *to));
            }
        }
        let holders = members.iter().flat_map(|id| heap.referrers.targets_of(*id));
        let mut holders: Vec<u32> = holders
            .copied()
            .filter(|id| self.unreachable.contains(*id) && members.binary_search(id).is_err())
            .collect();
        holders.sort_unstable();
        holders.dedup();
        GarbageCycle {
            objects: members.len() as u64,
            bytes: size(members),
            members: members
                .iter()
                .take(most)
                .map(|id| heap.thing(*id))
                .collect(),
            around: around
                .windows(2)
                .filter_map(|pair| match pair {
                    [from, to] => Some(self.link(*from, *to)),
                    _ => None,
                })
                .collect(),
            left_out: members.len() > most || links.len() >= most,
            links,
            hanging: hanging.len() as u64,
            hanging_bytes: size(&hanging),
            hanging_types: self.types(&hanging),
            held_by: holders.len() as u64,
        }
    }

    fn link(&self, from: u32, to: u32) -> Link {
        let (from, to) = (self.heap.address(from), self.heap.address(to));
        let ways = vias(&self.heap.python.objects, from, to, MOST_WAYS);
        let words: Vec<String> = ways.iter().map(|via| via.words()).collect();
        Link {
            from,
            to,
            words: match words.is_empty() {
                true => "somehow".to_owned(),
                false => words.join(", "),
            },
        }
    }

    /// A shortest way from the first of these objects back to itself, which is told at both ends.
    fn around(&self, members: &[u32]) -> Vec<u32> {
        let Some(&first) = members.first() else {
            return Vec::new();
        };
        let place = |id: &u32| members.binary_search(id).ok();
        let mut before: Vec<Option<u32>> = vec![None; members.len()];
        let mut open = VecDeque::from([first]);
        let mut searched = 0;
        while let Some(id) = open.pop_front() {
            searched += 1;
            if searched > MOST_SEARCHED {
                break;
            }
            for to in self.members.told.targets_of(id) {
                if *to == first {
                    let mut way = vec![first, id];
                    let mut at = id;
                    while at != first {
                        let Some(above) = place(&at).and_then(|at| *before.get(at)?) else {
                            break;
                        };
                        way.push(above);
                        at = above;
                    }
                    if id == first {
                        way = vec![first, first];
                    }
                    way.reverse();
                    return way;
                }
                let entry = place(to).and_then(|at| before.get_mut(at));
                if let Some(entry) = entry.filter(|entry| entry.is_none()) {
                    *entry = Some(id);
                    open.push_back(*to);
                }
            }
        }
        Vec::new()
    }
}
