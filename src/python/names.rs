//! Strings and thread names of the target.
