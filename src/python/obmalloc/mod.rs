//! Where pymalloc keeps its books (Objects/obmalloc.c, Include/internal/pycore_obmalloc.h): the
//! table of its arenas, their pools, and which functions serve Python's requests for memory.

mod allocators;
mod arena;
mod hooks;
pub(crate) mod pool;
mod tables;

pub use allocators::{Allocator, Serving};
pub use arena::ArenaObject;
pub use hooks::{HEAD, asked};
pub use pool::{Damage, FreeBlocks, Pool};
pub use tables::{ArenaTable, Tables, Totals};
