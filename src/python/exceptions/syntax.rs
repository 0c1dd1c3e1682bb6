//! What a `SyntaxError` knows of the source (Objects/exceptions.c `PySyntaxErrorObject`), by the
//! names of its attributes, since their order differs between versions.

use super::Reader;
use crate::addr::Addr;

/// The longest line of source that is shown whole, in characters.
const LONGEST: u64 = 10_000;

/// The attributes of a `SyntaxError`; `None` where an attribute is `None` or of another type.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SyntaxDetails {
    /// `msg`.
    pub msg: Option<String>,
    /// `filename`.
    pub filename: Option<String>,
    /// `lineno`.
    pub line: Option<i64>,
    /// `offset`: a column in characters, from 1.
    pub offset: Option<i64>,
    /// `end_lineno` (3.10+).
    pub end_line: Option<i64>,
    /// `end_offset` (3.10+).
    pub end_offset: Option<i64>,
    /// `text`: the line.
    pub text: Option<String>,
}

impl SyntaxDetails {
    /// Of the `SyntaxError` at `addr`.
    pub(super) fn read(reader: &Reader<'_>, addr: Addr) -> SyntaxDetails {
        let objects = reader.objects;
        let value = |name: &str| Some(objects.getattr(addr, name).ok()??.value);
        let text = |name: &str| Some(objects.text(value(name)?, LONGEST).ok()?.value);
        let number = |name: &str| i64::try_from(objects.int(value(name)?).ok()?).ok();
        SyntaxDetails {
            msg: text("msg"),
            filename: text("filename"),
            line: number("lineno"),
            offset: number("offset"),
            end_line: number("end_lineno"),
            end_offset: number("end_offset"),
            text: text("text"),
        }
    }

    /// What `str()` gives: the message, the file's name without its folder, the line.
    pub(super) fn message(&self) -> String {
        let msg = self.msg.as_deref().unwrap_or("None");
        let file = self.filename.as_deref();
        let file = file.map(|file| file.rsplit('/').next().unwrap_or(file));
        match (file, self.line) {
            (Some(file), Some(line)) => format!("{msg} ({file}, line {line})"),
            (Some(file), None) => format!("{msg} ({file})"),
            (None, Some(line)) => format!("{msg} (line {line})"),
            (None, None) => msg.to_owned(),
        }
    }
}
