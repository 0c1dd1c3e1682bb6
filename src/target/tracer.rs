//! The thread that does all ptrace calls.
