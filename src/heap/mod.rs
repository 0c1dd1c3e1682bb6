//! Every Python object of the process as a graph: who is alive, how large, and who refers to whom.

mod census;
pub use census::{Census, TypeRow};
mod closure;
pub mod marks;
pub mod pieces;
mod size;
pub mod trace;
pub mod types;
//! All objects of a process as one graph: who refers to whom, and what keeps it alive.
pub mod graph;
pub mod tracked;
pub mod roots;
