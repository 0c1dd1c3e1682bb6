//! The objects around one object, with how they refer to each other and what holds them from
//! outside: what a picture of them shows.

use super::Heap;
use super::graph::{self, Bounds, Stopped};
use super::label::Via;
use super::neighbours::Way;
use super::roots::RootView;
use super::thing::Thing;
use serde::Serialize;

/// The most roots of one object that are told.
const MOST_ROOTS: usize = 3;

/// Which way the picture grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To what the object refers to.
    Referents,
    /// To who refers to the object.
    Referrers,
}

/// One object of a picture.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Nearby {
    /// The object.
    #[serde(flatten)]
    pub thing: Thing,
    /// What dies with it, in bytes.
    pub retained: u64,
    /// How many steps it is away.
    pub depth: u32,
    /// How many of its referents or referrers are not drawn.
    pub left_out: u32,
    /// What holds it from outside.
    pub roots: Vec<RootView>,
    /// How many roots are left out.
    pub roots_left_out: usize,
}

/// A reference in a picture.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reference {
    /// Which of the objects refers.
    pub from: usize,
    /// To which of them.
    pub to: usize,
    /// How, where that is known.
    pub way: Option<Way>,
    /// Whether there are more ways.
    pub more_ways: bool,
}

/// The objects around one object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Around {
    /// Which way it grows.
    pub direction: Direction,
    /// The objects, nearest first; the first is the one that was asked for.
    pub objects: Vec<Nearby>,
    /// How they refer to each other.
    pub references: Vec<Reference>,
}

impl Heap {
    /// The objects around one, within bounds; of too many those that retain most. The reference of
    /// an instance to its class is only told where that class was asked for, and roots only where
    /// they say something: of referents that of the first object alone.
    pub fn around(&self, id: u32, direction: Direction, bounds: Bounds) -> Result<Around, Stopped> {
        let (edges, reverse) = match direction {
            Direction::Referents => (self.references(), false),
            Direction::Referrers => (&self.referrers, true),
        };
        let in_order = |one, other| if reverse { (other, one) } else { (one, other) };
        let follow = |one, other| {
            let (from, to) = in_order(one, other);
            let class = self.kind(from).map(|kind| kind.keeping.ty.addr);
            to == id || class != Some(self.address(to))
        };
        let found = graph::neighbourhood(edges, id, bounds, follow, |id| self.retained.of(id));
        let mut references = Vec::new();
        let number = |place: u32| found.nodes.get(place as usize).map_or(id, |n| n.node);
        for (one, other) in &found.edges {
            if self.python.process.cancel.is_cancelled() {
                return Err(Stopped);
            }
            let (from, to) = in_order(*one, *other);
            let mut ways = self.ways(number(from), number(to), 2);
            references.push(Reference {
                from: from as usize,
                to: to as usize,
                more_ways: ways.len() > 1,
                way: ways.drain(..).next(),
            });
        }
        let nearby = |node: &graph::Neighbour| {
            let mut nearby = Nearby {
                thing: self.thing(node.node),
                retained: self.retained.of(node.node),
                depth: node.depth,
                left_out: node.left_out,
                roots: Vec::new(),
                roots_left_out: 0,
            };
            if reverse || node.depth == 0 {
                self.add_roots(node.node, &mut nearby);
            }
            nearby
        };
        let mut around = Around {
            direction,
            objects: found.nodes.iter().map(nearby).collect(),
            references,
        };
        if direction == Direction::Referents {
            around.leave_names_to_arrows();
        }
        Ok(around)
    }

    /// The roots of an object, certain ones first; others only where there are no certain ones.
    fn add_roots(&self, id: u32, nearby: &mut Nearby) {
        let mut held: Vec<_> = self.roots_of(id).collect();
        let certain = held.iter().any(|root| root.certain);
        held.retain(|root| root.certain == certain);
        let shown = held.iter().take(MOST_ROOTS);
        nearby.roots = shown.map(|r| self.roots.view(&self.python, r)).collect();
        nearby.roots_left_out = held.len().saturating_sub(MOST_ROOTS);
    }
}

impl Around {
    /// Takes out strings that are only there as keys: the references to their values name them.
    fn leave_names_to_arrows(&mut self) {
        let objects = &self.objects;
        let is_string = |place: usize| {
            let class = objects.get(place).map(|object| &*object.thing.class);
            matches!(class, Some("str" | "unicode"))
        };
        self.references.retain(|reference| {
            let is_key = |way: &Way| way.via == Via::IsKey;
            let only = reference.way.as_ref().is_some_and(is_key) && !reference.more_ways;
            !(only && is_string(reference.to))
        });
        let mut places = vec![None; self.objects.len()];
        let mut kept = 0;
        for (place, new) in places.iter_mut().enumerate() {
            if place == 0 || self.references.iter().any(|other| other.to == place) {
                *new = Some(kept);
                kept += 1;
            }
        }
        let is_kept = |place: usize| places.get(place).copied().flatten();
        let mut place = 0..;
        self.objects
            .retain(|_| place.next().and_then(is_kept).is_some());
        for reference in &mut self.references {
            // Strings refer to nothing, so both ends are still there.
            reference.from = is_kept(reference.from).unwrap_or(0);
            reference.to = is_kept(reference.to).unwrap_or(0);
        }
    }
}

impl Reference {
    /// Whether it is known to be a reference; else it is a word that looks like one.
    pub fn certain(&self) -> bool {
        self.way.as_ref().is_some_and(|way| way.certain)
    }
}
