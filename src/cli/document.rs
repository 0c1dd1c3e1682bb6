//! The JSON form of an answer: one document per command, on one line. Fields are only ever added.

use pydbg::diag::Note;
use pydbg::escape::is_hostile;
use pydbg::target::{Origin, Taken};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;
use std::io::{self, Write};
use std::path::PathBuf;

/// The JSON form of an answer.
#[derive(Serialize)]
pub struct Document<'a> {
    /// The command, abbreviations written out.
    pub command: &'a str,
    /// What it is about.
    pub target: About,
    /// Which inferior that is, when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inferior: Option<usize>,
    /// The answer, unless there was an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// What was noticed since the last document.
    pub notes: Vec<Note>,
}

impl Document<'_> {
    /// Writes it on one line. Characters of the target that could steer a terminal are written
    /// as `\u009b`, because JSON itself lets all but C0 through and documents end on screens.
    pub fn write(&self, writer: impl Write) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::with_formatter(writer, Harmless);
        self.serialize(&mut serializer)?;
        serializer.into_inner().write_all(b"\n")
    }
}

/// Compact JSON without hostile characters.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut written = 0;
        for (at, hostile) in fragment.char_indices().filter(|(_, c)| is_hostile(*c)) {
            let before = fragment.get(written..at).unwrap_or_default();
            writer.write_all(before.as_bytes())?;
            // All of them lie in the basic plane, so one escape is enough.
            write!(writer, "\\u{:04x}", hostile as u32)?;
            written = at + hostile.len_utf8();
        }
        let rest = fragment.get(written..).unwrap_or_default();
        writer.write_all(rest.as_bytes())
    }
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
    /// A copy of a live process.
    Snapshot {
        /// `snapshot`.
        kind: &'static str,
        /// When and of what.
        #[serde(flatten)]
        taken: Taken,
    },
    /// No target, written as `null`.
    Nothing,
}

impl From<Option<Origin>> for About {
    fn from(origin: Option<Origin>) -> About {
        match origin {
            Some(Origin::Core(path)) => About::Core { kind: "core", path },
            Some(Origin::Live(pid)) => About::Live { kind: "live", pid },
            Some(Origin::Snapshot(taken)) => About::Snapshot {
                kind: "snapshot",
                taken,
            },
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
            inferior: None,
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
        let taken = Taken {
            pid: 7,
            taken_us: 1,
            pause_us: 2,
        };
        assert_eq!(
            text(document(Some(Origin::Snapshot(taken)), None)),
            r#"{"command":"bt","target":{"kind":"snapshot","pid":7,"taken_us":1,"pause_us":2},"notes":[]}"#
        );
        assert_eq!(
            text(document(None, None)),
            r#"{"command":"bt","target":null,"notes":[]}"#
        );
    }

    #[test]
    fn documents_cannot_steer_a_terminal() {
        let document = Document {
            command: "bt \u{9b}31m\u{7f}é\u{202e}\x1b",
            target: About::Nothing,
            inferior: None,
            data: None,
            error: None,
            notes: Vec::new(),
        };
        let mut text = Vec::new();
        document.write(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(r"bt \u009b31m\u007fé\u202e\u001b"), "{text}");
        assert!(!text.trim_end().contains(is_hostile));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["command"], document.command);
    }
}
