//! The JSON form of an answer: one document per command, on one line. Fields are only ever added.

use pydbg::diag::Note;
use pydbg::target::Origin;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// The JSON form of an answer.
#[derive(Serialize)]
pub struct Document<'a> {
    /// The command, abbreviations written out.
    pub command: &'a str,
    /// What it is about.
    pub target: About,
    /// The answer, unless there was an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// What was noticed since the last document.
    pub notes: Vec<Note>,
}

/// The target of a document.
#[derive(Serialize)]
#[serde(untagged)]
pub enum About {
    /// A core file.
    Core {
        /// `core`.
        kind: &'static str,
        /// Its path.
        path: PathBuf,
    },
    /// A live process.
    Live {
        /// `live`.
        kind: &'static str,
        /// Its PID.
        pid: i32,
    },
    /// No target, written as `null`.
    Nothing,
}

impl From<Option<Origin>> for About {
    fn from(origin: Option<Origin>) -> About {
        match origin {
            Some(Origin::Core(path)) => About::Core { kind: "core", path },
            Some(Origin::Live(pid)) => About::Live { kind: "live", pid },
            Some(Origin::Synthetic) | None => About::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_promised_form() {
        let document = |target: Option<Origin>, error| Document {
            command: "bt",
            target: target.into(),
            data: None,
            error,
            notes: Vec::new(),
        };
        let text = |document| serde_json::to_string(&document).unwrap_or_default();
        assert_eq!(
            text(document(Some(Origin::Core("c".into())), None)),
            r#"{"command":"bt","target":{"kind":"core","path":"c"},"notes":[]}"#
        );
        assert_eq!(
            text(document(Some(Origin::Live(7)), Some("no"))),
            r#"{"command":"bt","target":{"kind":"live","pid":7},"error":"no","notes":[]}"#
        );
        assert_eq!(
            text(document(None, None)),
            r#"{"command":"bt","target":null,"notes":[]}"#
        );
    }
}
