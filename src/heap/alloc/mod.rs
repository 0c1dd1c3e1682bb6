//! The allocators' own books: which runs of memory they handed out, which they keep for later.
//!
//! Every allocator tells its memory as [`Span`]s that lie side by side without gaps, so that what
//! several of them say adds up to the memory they have.

pub mod glibc;
pub mod mimalloc;
pub mod pymalloc;
pub mod recognise;

use crate::addr::Addr;
use serde::Serialize;

/// What an allocator says of a run of its memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// A block that was handed out and not given back. The span is what the program may use of it:
    /// it begins where the pointer points that the allocator returned.
    Used,
    /// Memory that was handed out once and was given back.
    Free,
    /// Memory that was never handed out.
    Fresh,
    /// The allocator's own headers, tables and padding.
    Overhead,
}

/// A run of an allocator's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Its first byte.
    pub start: Addr,
    /// How many bytes.
    pub len: u64,
    /// What it is for.
    pub used: Use,
}

/// A run of an allocator's memory of which its books do not tell what it is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Gap {
    /// Its first byte.
    pub start: Addr,
    /// How many bytes.
    pub len: u64,
    /// Why, in words.
    pub why: String,
}
