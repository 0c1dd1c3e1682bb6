//! Everything that knows a terminal: arguments, the prompt, completion, the pager, text and JSON.

pub mod command;
pub mod out;
pub mod session;

pub use command::{Class, Command, Needs, Report, Run};
pub use out::{Out, Style};
pub use session::Session;
