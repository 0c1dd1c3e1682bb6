//! Everything that knows a terminal: arguments, the prompt, completion, the pager, text and JSON.

pub mod args;
pub mod argv;
pub mod ask;
pub mod banner;
pub mod call;
pub mod capture;
pub mod command;
pub mod complete;
pub mod console;
pub mod demo;
pub mod document;
pub mod help;
pub mod history;
pub mod interrupt;
pub mod line;
pub mod names;
pub mod open;
mod other;
pub mod out;
pub mod pager;
pub mod panics;
pub mod plain;
pub mod progress;
pub mod render;
pub mod repl;
pub mod selection;
pub mod session;
pub mod settings;
pub mod sink;
pub mod start;
pub mod status;
pub mod terminal;

pub use command::{Class, Command, Needs, Report, Run};
pub use out::{Out, Style};
pub use plain::Plain;
pub use session::Session;
