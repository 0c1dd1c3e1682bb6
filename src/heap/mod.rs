//! Every Python object of the process as a graph: who is alive, how large, and who refers to whom.

mod census;
mod closure;
mod doubts;
pub mod graph;
mod index;
mod instances;
pub mod label;
pub mod marks;
pub mod partition;
pub mod pieces;
pub mod roots;
mod size;
mod tally;
pub mod trace;
pub mod tracked;
pub mod types;
mod whole;

pub use census::{Census, TypeRow};
pub use doubts::Doubts;
pub use instances::{Named, TypeMatch};
pub use whole::{Heap, HeapError};
