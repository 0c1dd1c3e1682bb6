//! Algorithms on graphs of up to four billion nodes in flat arrays: edges both ways, dominators,
//! retained sizes, shortest paths. Nothing here knows Python: a node is its number.
//!
//! What an index of `n` nodes and `e` edges takes, in bytes: each [`Csr`] `4n + 4e`, the
//! [`Dominators`] `4n` and a bit, the [`Retained`] `8n`; at 2.65 edges a node 41 for each node.
//! [`analyse`] takes 28 to 36 more than the edges for each node while it works, and leaves 12.

mod analyse;
mod components;
mod csr;
mod dominators;
mod forest;
mod neighbourhood;
mod order;
mod reach;
mod retained;
mod reverse;
mod search;
mod set;
mod watch;

#[cfg(test)]
mod tests;

pub use analyse::{Analysis, analyse};
pub use components::{Components, components};
pub use csr::{Chunk, Csr, Malformed};
pub use dominators::{Children, Dominators, Parent};
pub use forest::Forest;
pub use neighbourhood::{Bounds, Neighbour, Neighbourhood, neighbourhood};
pub use reach::{reachable, reachable_without};
pub use retained::Retained;
pub use search::{Apart, Budget, Found, Path, paths};
pub use set::NodeSet;
pub use watch::{Stopped, Watch};

/// The most nodes of a graph: two numbers are taken by the nodes that do not exist.
pub const MOST_NODES: u32 = u32::MAX - 2;

/// The most edges: they are counted in 32 bits, from one on.
pub const MOST_EDGES: u32 = u32::MAX - 1;
