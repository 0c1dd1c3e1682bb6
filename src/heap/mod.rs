//! Every Python object of the process as a graph: who is alive, how large, and who refers to whom.

pub mod label;
pub mod pieces;
