//! Interpreters and their GIL.
