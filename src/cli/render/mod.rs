//! What several commands show alike: frame lines, thread headers, source lines with their marks,
//! addresses. Each part builds a plain value first, which text and JSON then walk.

pub mod address;
pub mod anchors;
pub mod carets;
pub mod choice;
pub mod crash;
pub mod dialect;
pub mod drawing;
pub mod exception;
pub mod exception_text;
pub mod exception_tree;
pub mod expression;
pub mod fold;
pub mod frame;
pub mod group;
pub mod interpreter;
pub mod kept;
pub mod listing;
pub mod location;
pub mod locks;
pub mod memory;
pub mod number;
pub mod raw;
pub mod register;
pub mod request;
pub mod row;
pub mod selected;
pub mod source;
pub mod stack;
pub mod symbol;
pub mod syntax_error;
pub mod thread;
pub mod traceback;
pub mod value;
pub mod variables;
pub mod width;
