//! The registry of commands: one file each.

use crate::cli::Command;

/// Every command, in alphabetical order.
pub const ALL: &[Command] = &[];
