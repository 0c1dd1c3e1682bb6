//! Every Python object of the process as a graph: who is alive, how large, and who refers to whom.

pub mod alloc;
mod areas;
mod around;
mod census;
mod closure;
mod collections;
mod collector;
mod counts;
mod doubts;
mod duplicates;
#[cfg(feature = "sql")]
pub mod export;
pub(crate) mod garbage;
pub mod graph;
mod growth;
mod index;
mod instances;
mod kept;
pub mod label;
pub mod marks;
mod modules;
mod neighbours;
mod owners;
pub mod partition;
pub mod parts;
mod paths;
pub mod pieces;
pub mod roots;
mod size;
mod suspects;
mod tally;
mod thing;
pub mod trace;
pub mod tracked;
pub mod types;
mod ways;
mod weak;
mod whole;

pub use areas::{Area, What};
pub use around::{Around, Direction, Nearby, Reference};
pub use census::{Census, TypeRow};
pub use collections::{CollectionKind, Collections, FILLS, Filled};
pub use collector::{CollectorState, GenerationState, SAVE_ALL, Statistics};
pub use doubts::Doubts;
pub use duplicates::{DuplicateType, Duplicates, SameValue};
pub use garbage::{FoundIn, Garbage, GarbageCycle, GarbageSummary, Link, Shape, reasons};
pub use growth::{Amount, Before, Growth, KindGrowth, OwnerGrowth, Past, Whole};
pub use instances::{Named, TypeMatch};
pub use kept::{Kept, TypeKept, TypesKept};
pub use neighbours::{Neighbour, Neighbours, Way};
pub use owners::{Owner, Owners, TreeBounds, Who};
pub use paths::{PathError, RootPath, RootPaths};
pub use suspects::{
    Accused, Container, FLOOR, Form, Gathered, SHARE, Suspect, SuspectBounds, Suspects,
};
pub use thing::{NoObject, Thing};
pub use ways::Ways;
pub use whole::{Heap, HeapError};
