//! The one integration-test binary. Tests run the `pydbg` program on real interpreters, live and
//! on cores, and hold its JSON against the truth each fixture wrote down from inside Python.

// All of it is test code, which fails by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod builds;
mod bytecode;
mod cli;
mod debuginfod;
mod descriptors;
mod doing;
mod exceptions;
mod expr;
mod garbage;
mod gdb_cases;
mod harm;
mod harness;
mod heap;
mod heap_census;
mod heap_damage;
mod heap_guppy;
mod heap_parts;
mod heap_paths;
#[cfg(feature = "sql")]
mod heap_pictures;
mod heap_repeats;
mod heap_retained;
mod hostile;
mod labels;
mod layering;
mod layout_tables;
mod leaks;
mod locals;
mod locks;
mod locks_files;
mod locks_glibc;
mod locks_imports;
mod locks_native;
mod locks_parking;
mod locks_processes;
mod locks_threading;
mod locks_verdicts;
mod locks_with;
mod mallocs;
mod memory;
mod mutation;
mod native_truth;
mod odd_targets;
mod packages;
mod packed;
mod pymalloc;
mod pystack;
mod referents;
mod referents_all;
mod roots;
mod signal;
mod sizes;
mod source;
mod stacks;
mod tidy;
mod traced;
mod tracked;
mod values;
mod values_damage;
mod values_length;
mod values_without_files;
mod whatis;
