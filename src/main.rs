//! The program: arguments in, a session, an exit status out.

mod cli;
#[path = "../commands/mod.rs"]
mod commands;

fn main() {
    let _ = (commands::ALL, cli::Class::Target);
}
