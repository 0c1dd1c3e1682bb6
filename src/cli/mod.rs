//! Everything that knows a terminal: arguments, the prompt, completion, the pager, text and JSON.

pub mod call;
pub mod command;
pub mod help;
pub mod line;
pub mod names;
pub mod out;
pub mod plain;
pub mod render;
pub mod session;
pub mod settings;

pub use command::{Class, Command, Needs, Report, Run};
pub use out::{Out, Style};
pub use plain::Plain;
pub use session::Session;
