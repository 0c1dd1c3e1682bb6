//! Source lines of Python files: from disk when the file is safe to open, else from `linecache`
//! in the target's memory.
//!
//! A core is hostile: its file names must not make pydbg show somebody's private files in a report
//! that is then sent away. So a file is read only when it is regular, of moderate size, and named
//! `*.py`, or lies in a folder that the user gave; links are followed before that is judged.

use super::{PyFrame, Python, linecache};
use crate::escape::lossy;
use crate::target::{Origin, Place, Target, clocks};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Lines of one source file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Source {
    /// Line 1 is element 0, without line ends.
    pub lines: Vec<String>,
    /// `disk` or `linecache`.
    pub origin: &'static str,
    /// What the reader should know, such as that the file is newer than the process.
    pub note: Option<String>,
}

/// Why there is no source.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoSource(pub String);

/// The largest source file that is read, in bytes.
const LARGEST: usize = 16 << 20;

/// What one look-up is remembered by: the file, and for code without one what else tells codes
/// apart.
pub(super) type Key = (Arc<str>, Option<(Arc<str>, i32)>);

/// Looked-up sources, and the folders that were allowed then.
#[derive(Default)]
pub(super) struct Known {
    roots: Vec<PathBuf>,
    sources: rustc_hash::FxHashMap<Key, Result<Arc<Source>, NoSource>>,
}

impl Python {
    /// The source file of a frame. Files that are not named `*.py` are read from disk only when
    /// they lie in one of the folders `roots`. Remembered for each file.
    pub fn source(&self, frame: &PyFrame, roots: &[PathBuf]) -> Result<Arc<Source>, NoSource> {
        let made_up = is_made_up(&frame.file).then(|| (frame.function.clone(), frame.first_line));
        let key: Key = (frame.file.clone(), made_up);
        let known = || self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if known().roots == roots
            && let Some(found) = known().sources.get(&key)
        {
            return found.clone();
        }
        let found = self.find_source(frame, roots).map(Arc::new);
        let mut known = known();
        if known.roots != roots {
            known.roots = roots.to_vec();
            known.sources.clear();
        }
        known.sources.entry(key).or_insert(found).clone()
    }

    fn find_source(&self, frame: &PyFrame, roots: &[PathBuf]) -> Result<Source, NoSource> {
        let target = &*self.process.target;
        let disk = from_disk(target, &frame.file, roots);
        // A file as it was when the process read it: the very lines that run.
        if disk.as_ref().is_ok_and(|source| source.note.is_none()) {
            return disk;
        }
        let heads = self.interpreters.iter().map(|interpreter| interpreter.addr);
        let cached = heads
            .into_iter()
            .find_map(|interpreter| linecache::lines(&self.objects, interpreter, frame));
        match cached {
            Some(lines) => Ok(Source {
                lines,
                origin: "linecache",
                note: None,
            }),
            None => disk,
        }
    }
}

/// Whether the name of a code object's file is none: `<string>`, `<stdin>`, empty.
fn is_made_up(file: &str) -> bool {
    file.is_empty() || file.starts_with('<')
}

/// Reads the file that the target calls `file`.
fn from_disk(target: &Target, file: &str, roots: &[PathBuf]) -> Result<Source, NoSource> {
    let none = |why: &str| NoSource(format!("{file}: {why}"));
    if is_made_up(file) {
        return Err(none("the code has no file"));
    }
    let path = absolute(target, file)
        .ok_or_else(|| none("relative to a folder that the core does not tell"))?;
    let opened = target
        .files
        .open(&path, None)
        .map_err(|problem| none(&problem.to_string()))?;
    // Links were followed; what counts is where they lead.
    let real = std::fs::canonicalize(&opened.path).map_err(|error| none(&error.to_string()))?;
    if !is_allowed(&real, roots) {
        return Err(none(
            "not named *.py and not in a folder given by source-root",
        ));
    }
    let bytes = opened.bytes();
    if bytes.len() > LARGEST {
        return Err(none("larger than 16 MiB"));
    }
    let text = decode(bytes);
    Ok(Source {
        lines: split_lines(&text),
        origin: "disk",
        note: newer(target, &real, opened.place).map(|what| format!("{file}: {what}")),
    })
}

/// The path in the target's world, made absolute where the folder is known.
fn absolute(target: &Target, file: &str) -> Option<String> {
    if file.starts_with('/') {
        return Some(file.to_owned());
    }
    let folder = target.proc_files()?.link("cwd")?;
    Some(Path::new(&folder).join(file).to_str()?.to_owned())
}

/// Whether a file may be shown.
fn is_allowed(real: &Path, roots: &[PathBuf]) -> bool {
    let named = real.extension().is_some_and(|extension| extension == "py");
    let under =
        |root: &PathBuf| std::fs::canonicalize(root).is_ok_and(|root| real.starts_with(root));
    named || roots.iter().any(under)
}

/// Says when the file changed after what is shown was running.
fn newer(target: &Target, file: &Path, place: Place) -> Option<String> {
    let changed = std::fs::metadata(file).ok()?.modified().ok()?;
    let (since, what) = match (target.proc_files(), &target.origin) {
        (Some(files), _) => (clocks::started(&files)?, "the process started"),
        (None, Origin::Core(core)) => (
            std::fs::metadata(core).ok()?.modified().ok()?,
            "the core was written",
        ),
        (None, Origin::Live(_) | Origin::Snapshot(_) | Origin::Synthetic) => return None,
    };
    // When a process started is known by the clocks of the kernel and of the machine together.
    const UNSURE: Duration = Duration::from_secs(1);
    // A copy in a sysroot has the time of the copying.
    (changed > since + UNSURE && place != Place::Sysroot)
        .then(|| format!("changed after {what}, so its lines may not be those that ran"))
}

/// The text of a source file: UTF-8, or Latin-1 where a cookie (PEP 263) names another encoding.
fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first_two = bytes.split(|byte| *byte == b'\n').take(2);
    let cookie = first_two.filter_map(cookie).next();
    match cookie.as_deref() {
        None | Some("utf-8" | "utf8" | "utf_8" | "utf-8-sig" | "ascii" | "us-ascii") => {
            lossy(bytes)
        }
        Some(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The encoding that a comment line names: `coding: latin-1`.
fn cookie(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let comment = line.trim_start().strip_prefix('#')?;
    let (_, rest) = comment.split_once("coding")?;
    let name = rest.strip_prefix([':', '='])?.trim_start();
    let name: String = name
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// Lines as Python counts them: ended by `\n`, `\r\n` or `\r`.
fn split_lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn encodings_are_those_of_the_cookie() {
        assert_eq!(decode("é = 1".as_bytes()), "é = 1");
        assert_eq!(decode(b"\xef\xbb\xbfx"), "x");
        assert_eq!(
            decode(b"#!/x\n# -*- coding: latin-1 -*-\n'\xe9'")
                .lines()
                .last(),
            Some("'é'")
        );
        assert_eq!(
            decode(b"# vim: set fileencoding=utf-8 :\n\xe9"),
            format!("{}\\xe9", "# vim: set fileencoding=utf-8 :\n")
        );
        assert_eq!(
            decode(b"x\ny\n# coding: latin-1\n\xe9").lines().last(),
            Some("\\xe9")
        );
    }

    #[test]
    fn lines_end_as_in_python() {
        assert_eq!(split_lines("a\r\nb\rc\n\nd"), ["a", "b", "c", "", "d"]);
    }

    #[test]
    fn only_python_files_are_read_unless_their_folder_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.py"), "x = 1\n").unwrap();
        std::fs::write(at("secret"), "secret\n").unwrap();
        symlink(at("secret"), at("b.py")).unwrap();
        symlink(at("a.py"), at("c")).unwrap();
        let target = crate::target::synth::TargetBuilder::new().build();
        let read = |name: &str, roots: &[PathBuf]| {
            let file = at(name).to_str().unwrap().to_owned();
            from_disk(&target, &file, roots).map(|source| source.lines)
        };
        assert_eq!(read("a.py", &[]).unwrap(), ["x = 1"]);
        assert!(read("secret", &[]).is_err());
        assert!(read("b.py", &[]).is_err(), "a link to another kind of file");
        assert!(read("c", &[]).is_ok(), "what counts is where a link leads");
        assert!(read("secret", &[folder.path().to_owned()]).is_ok());
        assert!(read("missing.py", &[]).is_err());
        assert!(from_disk(&target, "/dev/zero", &["/dev".into()]).is_err());
        assert!(from_disk(&target, "<string>", &[]).is_err());
        assert!(from_disk(&target, "relative.py", &[]).is_err());
    }
}
