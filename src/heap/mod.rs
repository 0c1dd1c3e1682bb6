//! All objects of a process as one graph: who refers to whom, and what keeps it alive.

pub mod graph;
