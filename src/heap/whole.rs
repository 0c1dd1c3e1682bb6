//! The whole graph of a process: objects with ids, references both ways, roots, dominators and
//! retained sizes.

use super::closure::{self, Closure};
use super::doubts::Doubts;
use super::graph::{self, Analysis, Csr, Dominators, Malformed, NodeSet, Retained, Stopped, Watch};
use super::index::Index;
use super::marks::Marks;
use super::pieces::Pieces;
use super::roots::{Known, Root, Roots};
use super::trace::Follow;
use super::tracked::Tracked;
use super::types::{Kind, Types};
use crate::addr::Addr;
use crate::diag::{Step, Unit};
use crate::native::Process;
use crate::python::Python;
use crate::target::{Options, core};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Why there is no graph.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeapError {
    /// The user asked for it.
    #[error("interrupted")]
    Stopped,
    /// There are more objects or references than fit.
    #[error("the heap is too large for a graph: {0}")]
    TooLarge(Malformed),
}

impl From<Stopped> for HeapError {
    fn from(_: Stopped) -> HeapError {
        HeapError::Stopped
    }
}

/// All objects of a process as a graph. An object's id is its place in the order of addresses.
pub struct Heap {
    /// Whose objects they are.
    pub python: Arc<Python>,
    /// What the collector tracks, list by list.
    pub tracked: Tracked,
    /// What holds objects from outside; words that only look like it stand behind the others.
    pub roots: Roots,
    /// Who refers to each object.
    pub referrers: Csr,
    /// What keeps each object alive.
    pub dominators: Dominators,
    /// What dies with each object, in bytes.
    pub retained: Retained,
    /// What may be missing.
    pub doubts: Doubts,
    /// The objects that the graph begins at.
    leading: NodeSet,
    index: Index,
    /// The roots of objects, by id.
    held: Vec<(u32, u32)>,
    children: OnceLock<graph::Children>,
}

impl Heap {
    /// Finds all objects in a core that is open, and need have no name. An error says why that
    /// cannot be done.
    pub fn of_core(file: &File, options: &Options) -> Result<Heap, String> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let target = core::open(Path::new(&path), options).map_err(|error| error.to_string())?;
        let process = Arc::new(Process::new(Arc::new(target)));
        let python = Python::find(process).map_err(|error| error.to_string())?;
        Heap::of(&Arc::new(python)).map_err(|error| error.to_string())
    }

    /// Finds all objects and what keeps them alive.
    pub fn of(python: &Arc<Python>) -> Result<Heap, HeapError> {
        let target = &python.process.target;
        let progress = &target.files.options.progress;
        let tell = |what: &str, done, total| {
            progress.tell(&Step {
                what,
                done,
                total: Some(total),
                unit: Unit::Things("steps"),
            });
        };
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let types = Types::new(&python.objects);
        let found = closure::find(python, &pieces, &types, Follow::Everything, true);
        if found.cancelled {
            return Err(HeapError::Stopped);
        }
        let doubts = Doubts::of(&found);
        let Closure {
            tracked,
            mut roots,
            reached,
            marks,
            ..
        } = found;
        add_conservative(python, &pieces, &marks, &mut roots);
        let reading = |done, total| tell("reading references", done, total);
        let index = Index::read(python, &pieces, types, marks, &reading);
        let index = index.map_err(HeapError::TooLarge)?;
        let mut held: Vec<(u32, u32)> = (0..)
            .zip(&roots.all)
            .filter_map(|(number, root)| Some((index.id(root.object)?, number)))
            .collect();
        held.sort_unstable();
        let leads = |root: &Root| {
            // Words that look like references count where nothing else holds the object.
            let reached = reached.as_ref().zip(pieces.place(root.object));
            root.certain || !reached.is_some_and(|(reached, place)| reached.is_set(place))
        };
        let leading = roots.all.iter().filter(|root| leads(root));
        let mut leading: Vec<u32> = leading.filter_map(|root| index.id(root.object)).collect();
        drop(reached);
        leading.sort_unstable();
        leading.dedup();
        let hear = |what: &'static str, done, total| tell(what, done, total);
        let watch = Watch::new(&python.process.cancel, &hear);
        let Analysis {
            reverse,
            dominators,
            retained,
        } = graph::analyse(&index.references, &leading, |id| index.size(id), &watch)?;
        Ok(Heap {
            python: Arc::clone(python),
            tracked,
            roots,
            referrers: reverse,
            dominators,
            retained,
            doubts,
            leading: NodeSet::of(index.addresses.len() as u32, leading.iter().copied()),
            index,
            held,
            children: OnceLock::new(),
        })
    }

    /// How many objects there are.
    pub fn count(&self) -> u32 {
        self.index.addresses.len() as u32
    }

    /// The id of the object at an address.
    pub fn id(&self, addr: Addr) -> Option<u32> {
        self.index.id(addr)
    }

    /// The id of the first object behind an address.
    pub fn next(&self, addr: Addr) -> Option<u32> {
        let first = self.index.addresses.partition_point(|at| *at <= addr.0);
        (first < self.index.addresses.len()).then_some(first as u32)
    }

    /// Where an object is; NULL for what is none.
    pub fn address(&self, id: u32) -> Addr {
        Addr(self.index.addresses.get(id as usize).copied().unwrap_or(0))
    }

    /// The number of an object's type in [`Heap::kinds`].
    pub fn kind_number(&self, id: u32) -> u32 {
        self.index
            .types
            .get(id as usize)
            .copied()
            .unwrap_or(u32::MAX)
    }

    /// The type of an object.
    pub fn kind(&self, id: u32) -> Option<&Arc<Kind>> {
        self.index.kinds.get(self.kind_number(id) as usize)
    }

    /// All types that have instances, and some that have none.
    pub fn kinds(&self) -> &[Arc<Kind>] {
        &self.index.kinds
    }

    /// The size of an object as `sys.getsizeof` tells it, in bytes.
    pub fn size(&self, id: u32) -> u64 {
        self.index.size(id)
    }

    /// What an object refers to.
    pub fn references(&self) -> &Csr {
        &self.index.references
    }

    /// The roots that hold an object themselves.
    pub fn roots_of(&self, id: u32) -> impl Iterator<Item = &Root> {
        let first = self.held.partition_point(|(held, _)| *held < id);
        let held = self.held.iter().skip(first);
        held.take_while(move |(held, _)| *held == id)
            .filter_map(|(_, root)| self.roots.all.get(*root as usize))
    }

    /// The objects that the roots hold themselves, each with the root; by id.
    pub fn held(&self) -> impl Iterator<Item = (u32, &Root)> {
        let root = |(id, root): &(u32, u32)| Some((*id, self.roots.all.get(*root as usize)?));
        self.held.iter().filter_map(root)
    }

    /// Whether a root that counts holds an object itself; words that only look like references
    /// count where nothing else leads to it.
    pub fn is_root(&self, id: u32) -> bool {
        self.leading.contains(id)
    }

    /// What an object keeps alive with itself.
    pub fn children(&self) -> &graph::Children {
        self.children.get_or_init(|| self.dominators.children())
    }

    /// What some root leads to.
    pub fn reachable(&self) -> &NodeSet {
        self.dominators.reachable()
    }
}

/// Adds the words of C data and C stacks that look like references to objects.
fn add_conservative(python: &Python, pieces: &Pieces<'_>, marks: &Marks, roots: &mut Roots) {
    let runs = pieces.runs();
    let (mut low, mut high) = (Addr(u64::MAX), Addr::NULL);
    for (start, _, count) in runs {
        low = low.min(start);
        high = high.max(start.add(count * super::pieces::ALIGNMENT));
    }
    let is_object = |addr| pieces.place(addr).is_some_and(|place| marks.is_set(place));
    let known = Known {
        low,
        high,
        is_object: &is_object,
    };
    roots.add_conservative(python, &known);
}
