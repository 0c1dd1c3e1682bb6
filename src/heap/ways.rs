//! Why many objects are alive: for each a shortest way from a root, all found by one search.

use super::graph::{Apart, Forest, NodeSet, Stopped, Watch};
use super::roots::Root;
use super::{Heap, RootPath};
use std::collections::BTreeSet;

/// For each of some objects a shortest way from what keeps objects alive from outside.
pub struct Ways {
    /// Over what is certain.
    certain: Forest,
    /// For what nothing certain leads to, also from words that look like references.
    all: Option<Forest>,
}

impl Ways {
    /// The search that met an object.
    fn forest(&self, id: u32) -> &Forest {
        let other = self.all.as_ref().filter(|_| !self.certain.reaches(id));
        other.unwrap_or(&self.certain)
    }

    /// The objects on the way to one that was asked for, from the root to itself.
    pub fn to(&self, id: u32) -> Option<Vec<u32>> {
        self.forest(id).way(id)
    }

    /// The object before this one on the way to it; `None` for one that a root holds itself.
    pub fn before(&self, id: u32) -> Option<u32> {
        self.forest(id).before(id)
    }
}

impl Heap {
    /// The shortest ways to these objects, of the same kind as [`Heap::paths_to`] finds. `shows`
    /// says of a reference whether it tells a person something; others are followed only for what
    /// nothing else leads to.
    pub fn ways_to(&self, ids: &[u32], shows: impl Fn(u32, u32) -> bool) -> Result<Ways, Stopped> {
        let watch = Watch::quiet(&self.python.process.cancel);
        // Frames and functions refer to the namespace of their module; the module says more.
        let namespaces = self.namespaces();
        let module = |id: &u32| {
            let root: &&Root = namespaces.get(id)?;
            self.id(root.object)
        };
        let clear =
            |from: u32, to: u32| shows(from, to) && module(&to).is_none_or(|own| own == from);
        let held = self.held();
        let held = held.filter(|(id, root)| root.certain && !namespaces.contains_key(id));
        let roots = NodeSet::of(self.count(), held.map(|(id, _)| id));
        let wanted = NodeSet::of(self.count(), ids.iter().copied());
        let certain = Forest::grow(self.references(), &roots, &wanted, clear, &watch)?;
        let missing: BTreeSet<u32> = ids
            .iter()
            .copied()
            .filter(|id| !certain.reaches(*id))
            .collect();
        let all = match missing.is_empty() {
            true => None,
            false => {
                let roots = NodeSet::of(self.count(), self.held().map(|(id, _)| id));
                let wanted = NodeSet::of(self.count(), missing);
                let follow = |_, _| true;
                Some(Forest::grow(
                    self.references(),
                    &roots,
                    &wanted,
                    follow,
                    &watch,
                )?)
            }
        };
        Ok(Ways { certain, all })
    }

    /// The way to an object in words; `None` where no root leads to it.
    pub fn way_in_words(&self, ways: &Ways, id: u32) -> Option<RootPath> {
        self.write(&ways.to(id)?, Apart::Everywhere)
    }
}
