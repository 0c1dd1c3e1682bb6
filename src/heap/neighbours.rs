//! Who an object refers to, who refers to it, and how.

use super::graph::Csr;
use super::label::{Provenance, Via, vias};
use super::roots::RootView;
use super::thing::Thing;
use super::{Heap, weak};
use serde::Serialize;

/// The most ways from one object to another that are told.
const MOST_WAYS: usize = 4;

/// One way in which an object refers to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Way {
    /// In words.
    pub words: String,
    /// Whether it is a reference; else a word that looks like it.
    pub certain: bool,
    /// As data.
    #[serde(flatten)]
    pub via: Via,
}

/// An object that refers to the one that was asked for, or that it refers to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Neighbour {
    /// The object.
    #[serde(flatten)]
    pub thing: Thing,
    /// Whether only a weak reference is between them, which keeps nothing alive.
    pub weak: bool,
    /// How the one refers to the other.
    pub ways: Vec<Way>,
    /// Whether there are more ways.
    pub more_ways: bool,
}

/// The references from an object or to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Neighbours {
    /// The object.
    pub object: Thing,
    /// The roots that refer to it themselves; nothing where its referents were asked for.
    pub roots: Vec<RootView>,
    /// How many roots are left out.
    pub roots_left_out: usize,
    /// The objects at the other end.
    pub all: Vec<Neighbour>,
    /// How many objects are left out.
    pub left_out: usize,
}

impl Heap {
    /// What an object refers to, at most `most` of it.
    pub fn referents_of(&self, id: u32, most: usize) -> Neighbours {
        let weak = self.weak_references();
        let weak = weak.iter().filter(|(_, own)| *own == id);
        let weak: Vec<u32> = weak.map(|(referent, _)| *referent).collect();
        let (all, left_out) = self.ends(self.references(), id, &weak, most, |other| (id, other));
        Neighbours {
            object: self.thing(id),
            roots: Vec::new(),
            roots_left_out: 0,
            all,
            left_out,
        }
    }

    /// Who refers to an object, at most `most` roots and `most` objects.
    pub fn referrers_of(&self, id: u32, most: usize) -> Neighbours {
        let weak = self.weak_references();
        let weak: Vec<u32> = weak::of(&weak, id).collect();
        let (all, left_out) = self.ends(&self.referrers, id, &weak, most, |other| (other, id));
        // What is certain comes first.
        let mut held: Vec<_> = self.roots_of(id).collect();
        held.sort_by_key(|root| !root.certain);
        let roots = held.iter().take(most);
        Neighbours {
            object: self.thing(id),
            roots: roots.map(|r| self.roots.view(&self.python, r)).collect(),
            roots_left_out: held.len().saturating_sub(most),
            all,
            left_out,
        }
    }

    /// The objects at the other ends of edges, strong ones first, and how many are left out.
    /// `edge` gives from where to where the reference is.
    fn ends(
        &self,
        edges: &Csr,
        id: u32,
        weak: &[u32],
        most: usize,
        edge: impl Fn(u32) -> (u32, u32),
    ) -> (Vec<Neighbour>, usize) {
        let mut ends = edges.targets_of(id).to_vec();
        ends.sort_unstable();
        ends.dedup();
        let strong = ends.len();
        ends.extend(weak);
        let shown = ends.iter().take(most).enumerate();
        let all = shown.map(|(position, other)| {
            let (from, to) = edge(*other);
            let ways = self.ways(from, to, MOST_WAYS + 1);
            Neighbour {
                thing: self.thing(*other),
                weak: position >= strong,
                more_ways: ways.len() > MOST_WAYS,
                ways: ways.into_iter().take(MOST_WAYS).collect(),
            }
        });
        (all.collect(), ends.len().saturating_sub(most))
    }

    /// How one object refers to another, at most `most` ways.
    pub(super) fn ways(&self, from: u32, to: u32, most: usize) -> Vec<Way> {
        let (from, to) = (self.address(from), self.address(to));
        let ways = vias(&self.python.objects, from, to, most);
        let way = |via: Via| Way {
            words: via.words(),
            certain: via.provenance() != Provenance::Word,
            via,
        };
        ways.into_iter().map(way).collect()
    }
}
