//! Why an object is alive: the shortest ways to it from what keeps objects alive from outside.

use super::graph::{Apart, Budget, Csr, Malformed, NodeSet, Stopped, Watch, paths};
use super::label::{Chain, Start};
use super::roots::{Part, Root, RootKind, RootView};
use super::thing::Thing;
use super::{Heap, weak};
use crate::addr::Addr;
use serde::Serialize;

/// The most references that are looked at for one path.
const MOST_EDGES: u64 = 1 << 32;

/// The most roots of one object that are compared.
const MOST_ROOTS: usize = 256;

/// A way from a root to an object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RootPath {
    /// The root.
    pub root: RootView,
    /// The way as an expression, as far as Python has one, and in words.
    #[serde(flatten)]
    pub chain: Chain,
    /// The objects on it, the one that was asked for last.
    pub objects: Vec<Addr>,
    /// What it has in common with those before it.
    pub apart: Apart,
    /// Whether it leads through a weak reference, which keeps nothing alive.
    pub weak: bool,
}

/// The ways to an object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RootPaths {
    /// The object.
    pub object: Thing,
    /// The shortest ways, nearest first. Where no certain root leads to the object, those from
    /// words that look like references.
    pub paths: Vec<RootPath>,
    /// Ways that end with a weak reference, or have one where there are no others, if asked for.
    pub weak: Vec<RootPath>,
    /// Whether there are no others of their kind.
    pub complete: bool,
    /// How many objects refer to it.
    pub referrers: usize,
    /// How many weak references there are to it; counted only where nothing else leads to it.
    pub weak_references: usize,
}

/// Why the ways cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// The user stopped the search.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// With weak references there are too many edges.
    #[error(transparent)]
    TooLarge(#[from] Malformed),
}

impl Heap {
    /// The shortest ways to an object, at most `most`; with `through_weak` also those through weak
    /// references.
    pub fn paths_to(
        &self,
        id: u32,
        most: usize,
        through_weak: bool,
    ) -> Result<RootPaths, PathError> {
        // Frames and functions refer to the namespace of their module; the module says more.
        let namespaces = self.namespaces();
        let module = |id: &u32| {
            let root: &&Root = namespaces.get(id)?;
            self.id(root.object)
        };
        let clear = |from: u32, to: u32| to == id || module(&to).is_none_or(|own| own == from);
        let certain = self.held();
        let certain = certain.filter(|(id, root)| root.certain && !namespaces.contains_key(id));
        let certain = NodeSet::of(self.count(), certain.map(|(id, _)| id));
        let (mut found, mut complete) = self.search(&self.referrers, id, &certain, clear, most)?;
        if found.is_empty() && complete {
            let all = NodeSet::of(self.count(), self.held().map(|(id, _)| id));
            (found, complete) = self.search(&self.referrers, id, &all, |_, _| true, most)?;
        }
        let mut weakly = Vec::new();
        let mut weak_references = 0;
        if through_weak || found.is_empty() {
            let weak = self.weak_references();
            let own: Vec<u32> = weak::of(&weak, id).collect();
            weak_references = own.len();
            if through_weak {
                let edges = self.referrers_with(&weak)?;
                let last = |from: u32, to: u32| match to == id {
                    true => own.binary_search(&from).is_ok(),
                    false => clear(from, to),
                };
                (weakly, _) = self.search(&edges, id, &certain, last, most)?;
                if weakly.is_empty() && found.is_empty() {
                    (weakly, _) = self.search(&edges, id, &certain, |_, _| true, most)?;
                }
                weakly.retain(|path| path.weak);
            }
        }
        let mut referrers = self.referrers.targets_of(id).to_vec();
        referrers.sort_unstable();
        referrers.dedup();
        Ok(RootPaths {
            object: self.thing(id),
            paths: found,
            weak: weakly,
            complete,
            referrers: referrers.len(),
            weak_references,
        })
    }

    /// The shortest ways over these edges, and whether there are no others.
    fn search(
        &self,
        edges: &Csr,
        id: u32,
        roots: &NodeSet,
        follow: impl Fn(u32, u32) -> bool,
        most: usize,
    ) -> Result<(Vec<RootPath>, bool), Stopped> {
        let budget = Budget {
            paths: most,
            edges: MOST_EDGES,
        };
        let watch = Watch::quiet(&self.python.process.cancel);
        let found = paths(edges, id, roots, follow, budget, &watch)?;
        let written = found.paths.iter();
        let written = written.filter_map(|path| self.write(&path.nodes, path.apart));
        Ok((written.collect(), found.complete))
    }

    /// A path with its root in words.
    pub(super) fn write(&self, nodes: &[u32], apart: Apart) -> Option<RootPath> {
        let root = self.best_root(*nodes.first()?)?;
        let view = self.roots.view(&self.python, root);
        let start = Start::of(&self.python, &self.roots, root);
        let objects: Vec<Addr> = nodes.iter().map(|node| self.address(*node)).collect();
        let is_edge = |pair: &[u32]| match pair {
            [from, to] => self.references().targets_of(*from).contains(to),
            _ => true,
        };
        Some(RootPath {
            chain: Chain::write(&self.python.objects, &start, &objects),
            root: view,
            objects,
            apart,
            weak: !nodes.windows(2).all(is_edge),
        })
    }

    /// Of the roots that hold an object, the one that says most.
    pub(super) fn best_root(&self, id: u32) -> Option<&Root> {
        let roots = self.roots_of(id).take(MOST_ROOTS);
        roots.min_by_key(|root| (!root.certain, rank(root.kind)))
    }
}

/// What says most of why an object is alive comes first.
fn rank(kind: RootKind) -> u8 {
    match kind {
        RootKind::Module { .. } => 0,
        RootKind::Frame { part, .. } => match part {
            Part::Variable(_) | Part::Cell(_) => 1,
            Part::Function | Part::Stack(_) => 4,
            _ => 3,
        },
        RootKind::Type { .. } => 2,
        RootKind::Interpreter { field, .. } | RootKind::Runtime { field } => match field {
            Some(_) => 3,
            None => 6,
        },
        RootKind::Thread { field, .. } => match field {
            Some(_) => 5,
            None => 6,
        },
        RootKind::ExitCallback { .. } | RootKind::SignalHandler => 3,
        RootKind::Global { .. } => 7,
        RootKind::Stack { .. } => 8,
        RootKind::Register { .. } => 9,
    }
}
