//! pydbg's engine: everything that is known about one Python process, read from a core file or
//! from a live process, without running any code in it. The engine knows no terminal.
//!
//! The layers, each of which may use only those before it (a test holds the order):
//!
//! | layer | knows |
//! |---|---|
//! | [`addr`], [`bytes`], [`calendar`], [`diag`], [`escape`], [`ranges`], [`sum`] | addresses, checked reads, dates, notes, hostile strings, ranges, sums |
//! | [`target`] | one process image: memory, registers, mappings, threads |
//! | [`dump`] | writing the core of a live process |
//! | [`image`] | the ELF files mapped in it: symbols, build-ids, debug files |
//! | [`dwarf`] | lines and inlined functions |
//! | [`unwind`] | native stack frames, each with how it was found |
//! | [`native`] | the process as the kernel and glibc see it: threads, system calls, loader |
//! | [`python`] | CPython: runtime, interpreters, thread states, frames, code |
//! | [`heap`] | every object as a graph: sizes, references, roots, what keeps what alive |
//! | [`sync`] | locks: who holds which, who waits for which, deadlocks |
//! | [`expr`] | expressions over the objects of a process |
//! | [`descriptors`] | open files and sockets: what they are, which objects keep them open |
//! | [`memory`] | where all memory of the process is |
//! | [`families`] | waits and files of several processes, joined |
//! | [`lean`] | what of a core analysis of Python does not need |
//! | [`redact`] | taking the data out of a core that is being written |
//! | [`findings`] | what is wrong, in a sentence, with its evidence |
//! | [`glance`] | what keeps a process that runs on, in a word or two |
//!
//! Every claim carries its provenance, every gap a reason; see [`diag::Notes`].

pub mod addr;
pub mod bytes;
pub mod calendar;
pub mod descriptors;
pub mod diag;
pub mod dump;
pub mod dwarf;
pub mod escape;
pub mod expr;
pub mod families;
pub mod findings;
pub mod glance;
pub mod heap;
pub mod image;
pub mod lean;
pub mod memory;
pub mod native;
pub mod python;
pub mod ranges;
pub mod redact;
pub mod sum;
pub mod sync;
pub mod target;
pub mod unwind;

pub use addr::{Addr, Pc, Svma};
