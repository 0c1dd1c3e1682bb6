//! Paths of Lib/pathlib: up to 3.11 a path is parsed when it is made (`_drv`, `_root`, `_parts`);
//! from 3.12 on it keeps what it was made from (`_raw_paths`) until someone asks. `_str` is kept
//! once `str` was called.

use super::writer::Writer;
use super::{Decoders, default, parts};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here. 3.13 keeps them in a submodule.
pub(super) const DECODERS: Decoders = &[
    ("pathlib.PurePath", path),
    ("pathlib._local.PurePath", path),
];

/// The most parts of one path.
const MOST_PARTS: usize = 10_000;

fn path(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let windows = ["pathlib.PureWindowsPath", "pathlib._local.PureWindowsPath"];
    let windows = windows.iter().any(|name| objects.is_a(ty, name));
    let Some(text) = path_text(objects, addr, windows)? else {
        return default::object(w, addr, ty);
    };
    let text = match windows {
        true => text.replace('\\', "/"),
        false => text,
    };
    let name = parts::short_name(objects, ty);
    w.push(&format!("{name}({})", parts::quoted(objects, &text)));
    Ok(())
}

/// The path as `str` returns it; `None` for a Windows path that was never parsed.
fn path_text(objects: &Objects, addr: Addr, windows: bool) -> Result<Option<String>, Fault> {
    let field = |name: &str| parts::field(objects, addr, name);
    let text = |name: &str| match field(name)? {
        Some(value) => parts::text(objects, value).map(Some),
        None => Ok(None),
    };
    let list = |value: Addr| -> Result<Vec<String>, Fault> {
        let items = objects.list_items(value, MOST_PARTS)?;
        items
            .iter()
            .map(|item| parts::text(objects, *item))
            .collect()
    };
    if let Some(known) = text("_str")? {
        return Ok(Some(known));
    }
    let (drive, root) = (text("_drv")?, text("_root")?);
    if let (Some(drive), Some(root)) = (drive, root) {
        let anchor = format!("{drive}{root}");
        let tail = match (field("_tail_cached")?, field("_parts")?) {
            (Some(tail), _) => Some(list(tail)?),
            (None, Some(all)) => {
                // The first part of an absolute path is its anchor.
                let mut all = list(all)?;
                if !anchor.is_empty() && !all.is_empty() {
                    all.remove(0);
                }
                Some(all)
            }
            (None, None) => None,
        };
        if let Some(tail) = tail {
            return Ok(Some(or_dot(
                anchor + &tail.join(if windows { "\\" } else { "/" }),
            )));
        }
    }
    match field("_raw_paths")? {
        Some(raw) if !windows => Ok(Some(normal(&list(raw)?))),
        _ => Ok(None),
    }
}

fn or_dot(text: String) -> String {
    match text.is_empty() {
        true => ".".to_owned(),
        false => text,
    }
}

/// Segments as `posixpath.join` joins them and pathlib then normalises the whole.
fn normal(segments: &[String]) -> String {
    let mut joined = String::new();
    for segment in segments {
        if segment.starts_with('/') {
            joined.clear();
        } else if !joined.is_empty() && !joined.ends_with('/') {
            joined.push('/');
        }
        joined.push_str(segment);
    }
    let slashes = joined.chars().take_while(|c| *c == '/').count();
    let root = match slashes {
        0 => "",
        // Two slashes are special in POSIX, three are not.
        2 => "//",
        _ => "/",
    };
    let tail = joined.split('/').filter(|part| !matches!(*part, "" | "."));
    let tail: Vec<&str> = tail.collect();
    or_dot(format!("{root}{}", tail.join("/")))
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn segments_are_joined_and_normalised() {
        let path = |segments: &[&str]| {
            let segments: Vec<String> = segments.iter().map(|s| (*s).to_owned()).collect();
            normal(&segments)
        };
        assert_eq!(path(&[]), ".");
        assert_eq!(path(&["a//b/./c/"]), "a/b/c");
        assert_eq!(path(&["/a", "b", "..", ""]), "/a/b/..");
        assert_eq!(path(&["x", "//y", "z"]), "//y/z");
        assert_eq!(path(&["///y"]), "/y");
    }
}
