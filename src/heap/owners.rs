//! Who keeps how much alive, as a tree: under each object those that would die with it.

use super::Heap;
use super::graph::Parent;
use super::label::via_in;
use super::roots::{Group, Root};
use super::thing::Thing;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;

/// Of what is not at the top only owners of this part of the whole are shown.
const LEAST_PART: u64 = 100;

/// The deepest tree.
const DEEPEST: usize = 100;

/// The most roots of an object that are looked at.
const MOST_ROOTS: usize = 256;

/// What an owner is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "owner", rename_all = "kebab-case")]
pub enum Who {
    /// An object.
    Object {
        /// How the owner above refers to it; `None` where it only does so over others.
        via: Option<String>,
        /// The object.
        object: Thing,
    },
    /// What keeps objects alive from outside, and holds those below itself.
    Roots {
        /// In words.
        words: String,
    },
    /// Several of those above, of which none alone keeps alive what is below.
    Several,
    /// Nothing that is known: garbage, or native memory.
    Nothing,
}

/// One owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Owner {
    /// What it is.
    #[serde(flatten)]
    pub who: Who,
    /// How many objects die with it, itself among them.
    pub objects: u64,
    /// Its own size in bytes.
    pub own: u64,
    /// The bytes of all these objects.
    pub retained: u64,
    /// Those directly below it, the largest first.
    pub owners: Vec<Owner>,
    /// How many of them are left out.
    pub left_out: usize,
    /// What these retain together, in bytes.
    pub left_out_retained: u64,
}

/// How much of the tree is wanted.
#[derive(Clone, Copy, Debug)]
pub struct TreeBounds {
    /// The most owners below one.
    pub most: usize,
    /// The levels below the first one.
    pub depth: usize,
}

/// The owners in a heap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Owners {
    /// Objects in all.
    pub objects: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// What has no dominator, by the roots that hold it.
    pub owners: Vec<Owner>,
    /// How many of them are left out.
    pub left_out: usize,
    /// What these retain together, in bytes.
    pub left_out_retained: u64,
}

/// How much is shown below an owner.
#[derive(Clone, Copy)]
struct Level {
    bounds: TreeBounds,
    /// What the owners directly below retain at least.
    least: u64,
    /// The same for those below them.
    deeper: u64,
}

/// Whose objects have no dominator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Top {
    Group(Group),
    Several,
    Nothing,
}

/// Objects without a dominator that one root, or nothing, holds.
pub(super) struct TopOwner {
    /// What holds them.
    pub(super) who: Who,
    /// What they retain together, in bytes.
    pub(super) retained: u64,
    /// The objects.
    pub(super) ids: Vec<u32>,
}

impl Heap {
    /// The largest owners of all.
    pub fn owners(&self, bounds: TreeBounds) -> Owners {
        let tops = self.tops();
        let all = self.retained.reachable();
        let bytes = all.saturating_add(self.retained.unreachable());
        let least = bytes / LEAST_PART;
        let level = Level {
            bounds,
            least,
            deeper: least,
        };
        let left = tops.get(bounds.most..).unwrap_or_default().iter();
        Owners {
            objects: self.count().into(),
            bytes,
            left_out: tops.len().saturating_sub(bounds.most),
            left_out_retained: left.fold(0, |sum, top| sum.saturating_add(top.retained)),
            owners: tops
                .into_iter()
                .take(bounds.most)
                .map(|top| {
                    let objects = top.ids.iter().map(|id| self.weight(*id)).sum();
                    let own = top.ids.iter().map(|id| self.size(*id));
                    let mut owner = Owner {
                        who: top.who,
                        objects,
                        own: own.fold(0, u64::saturating_add),
                        retained: top.retained,
                        owners: Vec::new(),
                        left_out: 0,
                        left_out_retained: 0,
                    };
                    self.fill(&mut owner, &top.ids, level, &[]);
                    owner
                })
                .collect(),
        }
    }

    /// What has no dominator, by what holds it, the largest first.
    pub(super) fn tops(&self) -> Vec<TopOwner> {
        let namespaces = self.namespaces();
        let mut tops: FxHashMap<Top, Vec<u32>> = FxHashMap::default();
        for &id in self.children().of(Parent::Root) {
            tops.entry(self.top(id, &namespaces)).or_default().push(id);
        }
        let garbage = self.children().of(Parent::Unreachable);
        if !garbage.is_empty() {
            tops.insert(Top::Nothing, garbage.to_vec());
        }
        let owner = |(top, ids): (Top, Vec<u32>)| TopOwner {
            who: self.who(top),
            retained: self.retained_by(&ids),
            ids,
        };
        let mut tops: Vec<TopOwner> = tops.into_iter().map(owner).collect();
        tops.sort_by_cached_key(|top| {
            let words = match &top.who {
                Who::Roots { words } => words.clone(),
                _ => String::new(),
            };
            (Reverse(top.retained), words)
        });
        tops
    }

    /// What these objects, none of which keeps another alive, retain together.
    pub(super) fn retained_by(&self, ids: &[u32]) -> u64 {
        let each = ids.iter().map(|id| self.retained.of(*id));
        each.fold(0, u64::saturating_add)
    }

    /// An object with those that die with it.
    pub fn owner(&self, id: u32, bounds: TreeBounds) -> Owner {
        let level = Level {
            bounds,
            least: 0,
            deeper: self.retained.of(id) / LEAST_PART,
        };
        self.owner_below(id, &[], level)
    }

    /// Of some objects the largest owners, what is left out, and what that retains.
    pub(super) fn largest_of(&self, ids: &[u32], most: usize) -> (Vec<Owner>, usize, u64) {
        let bounds = TreeBounds { most, depth: 0 };
        let (largest, left_out, left_out_retained) = self.largest(ids, most, 0);
        let owners = largest.iter().map(|id| self.owner(*id, bounds)).collect();
        (owners, left_out, left_out_retained)
    }

    /// The dominators of an object, the nearest first.
    pub fn owned_by(&self, id: u32, most: usize) -> (Vec<Thing>, bool) {
        let mut above = self.dominators.chain(id);
        let things = above.by_ref().take(most).map(|id| self.thing(id));
        let things: Vec<Thing> = things.collect();
        (things, above.next().is_some())
    }

    /// An object below others, of which the nearest comes last.
    fn owner_below(&self, id: u32, above: &[u32], level: Level) -> Owner {
        let mut owner = Owner {
            who: Who::Object {
                via: above.last().and_then(|from| self.via(above, *from, id)),
                object: self.thing(id),
            },
            objects: self.weight(id),
            own: self.size(id),
            retained: self.retained.of(id),
            owners: Vec::new(),
            left_out: 0,
            left_out_retained: 0,
        };
        let mut above = above.to_vec();
        above.push(id);
        let below = self.children().of(Parent::Node(id));
        self.fill(&mut owner, below, level, &above);
        owner
    }

    /// Adds the largest of those below an owner.
    fn fill(&self, owner: &mut Owner, below: &[u32], level: Level, above: &[u32]) {
        let TreeBounds { most, depth } = level.bounds;
        if depth == 0 || above.len() >= DEEPEST {
            return;
        }
        let (largest, left_out, left_out_retained) = self.largest(below, most, level.least);
        owner.left_out = left_out;
        owner.left_out_retained = left_out_retained;
        let level = Level {
            bounds: TreeBounds {
                most,
                depth: depth - 1,
            },
            least: level.deeper,
            deeper: level.deeper,
        };
        let each = largest.iter();
        owner.owners = each.map(|id| self.owner_below(*id, above, level)).collect();
    }

    /// The objects of a list that retain most, and at least so much; how many are left out, and what
    /// these retain.
    pub(super) fn largest(&self, ids: &[u32], most: usize, least: u64) -> (Vec<u32>, usize, u64) {
        let key = |id: &u32| (Reverse(self.retained.of(*id)), *id);
        let large = ids.iter().copied();
        let mut large: Vec<u32> = large.filter(|id| self.retained.of(*id) >= least).collect();
        if large.len() > most {
            large.select_nth_unstable_by_key(most, key);
            large.truncate(most);
        }
        large.sort_unstable_by_key(key);
        let left_out = ids.len() - large.len();
        let retained = self
            .retained_by(ids)
            .saturating_sub(self.retained_by(&large));
        (large, left_out, retained)
    }

    /// How many objects die with this one, itself among them.
    pub(super) fn weight(&self, id: u32) -> u64 {
        let mut open = vec![id];
        let mut count = 0;
        while let Some(id) = open.pop() {
            count += 1;
            open.extend_from_slice(self.children().of(Parent::Node(id)));
        }
        count
    }

    /// How an owner refers to what is directly below it.
    pub(super) fn via(&self, above: &[u32], from: u32, to: u32) -> Option<String> {
        if !self.references().targets_of(from).contains(&to) {
            return None;
        }
        let before = above.len().checked_sub(2).and_then(|at| above.get(at));
        let before = before.map(|id| self.address(*id));
        let (from, to) = (self.address(from), self.address(to));
        Some(via_in(&self.python.objects, before, from, to).words())
    }

    /// Whose an object without a dominator is.
    fn top(&self, id: u32, namespaces: &FxHashMap<u32, &Root>) -> Top {
        if let Some(module) = namespaces.get(&id) {
            return Top::Group(Group::of(module.kind));
        }
        let groups = self.roots_of(id).take(MOST_ROOTS);
        let best = groups
            .map(|root| (!root.certain, Group::of(root.kind)))
            .min();
        best.map_or(Top::Several, |(_, group)| Top::Group(group))
    }

    fn who(&self, top: Top) -> Who {
        match top {
            Top::Group(group) => Who::Roots {
                words: self.roots.group_words(&self.python, group),
            },
            Top::Several => Who::Several,
            Top::Nothing => Who::Nothing,
        }
    }
}
