//! The mimalloc that is part of CPython: all memory of free-threaded builds that comes from
//! `PyMem_Malloc` and `PyObject_Malloc`. Segments of 32 MiB are cut into slices of 64 KiB, and pages
//! of one or more slices into blocks of one size.

mod blocks;
mod figures;
mod segments;
#[cfg(test)]
mod tests;
mod walk;

pub(in crate::heap) use blocks::{Free, Page};
pub use figures::{Figures, HeapKind, HeapRow, SegmentRow, SizeRow};
pub use segments::{Segment, Segments};
pub(in crate::heap) use walk::Mimalloc;
#[cfg(test)]
pub(in crate::heap) use walk::{QUEUE, QUEUES, SEGMENT};
