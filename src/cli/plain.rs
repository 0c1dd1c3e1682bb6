//! An answer of a few fixed sentences.

use super::{Out, Report};
use serde_json::Value;
use std::io;

/// An answer of a few fixed sentences; may be empty.
pub struct Plain {
    /// The sentences, in lines. May quote the target: it is escaped on the way out.
    pub text: String,
    /// The same as data.
    pub data: Value,
}

impl Plain {
    /// Sentences whose data is nothing more than themselves.
    pub fn said(text: impl Into<String>) -> Plain {
        let text = text.into();
        let data = Value::String(text.clone());
        Plain { text, data }
    }

    /// No words at all, such as the answer of `set`.
    pub fn silent() -> Plain {
        Plain {
            text: String::new(),
            data: Value::Null,
        }
    }
}

impl Report for Plain {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for line in self.text.lines() {
            out.target(line)?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        self.data.clone()
    }
}
