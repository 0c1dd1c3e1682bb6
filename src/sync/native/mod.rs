//! Locks that know nothing of Python: glibc's and those of C++ (nptl, libstdc++).

pub(super) mod mutex;
