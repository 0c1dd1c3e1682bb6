//! The program: arguments in, a session, an exit status out.

// A program has no outside: `pub` says here that other modules of it may use the item.
#![allow(unreachable_pub)]

mod cli;
#[path = "../commands/mod.rs"]
mod commands;
#[cfg(test)]
mod registry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::start::main(commands::ALL)
}
