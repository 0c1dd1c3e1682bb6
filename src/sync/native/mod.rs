//! Locks that know nothing of Python: glibc's and those of C++ (nptl, libstdc++).

pub(super) mod loader;
pub(super) mod malloc;
pub(super) mod mutex;
pub(super) mod stdio;
