//! Source lines that the target's own `linecache` module holds (Lib/linecache.py): of files that a
//! traceback, `inspect` or `pdb` has shown, of code that doctest and IPython registered, and from
//! 3.13 on of `-c` and the REPL.

use super::object::Objects;
use super::{PyFrame, names};
use crate::addr::Addr;

/// More lines than this are not read.
const MOST_LINES: usize = 200_000;

/// The longest line that is read whole, in characters.
const LONGEST_LINE: u64 = 64 << 10;

/// All lines together may have this many bytes.
const MOST_BYTES: usize = 16 << 20;

/// The lines of the frame's file in the cache of one interpreter, without line ends.
pub(super) fn lines(objects: &Objects, interpreter: Addr, frame: &PyFrame) -> Option<Vec<String>> {
    let namespace = names::module(objects, interpreter, "linecache").ok()??;
    let entry =
        by_file(objects, namespace, &frame.file).or_else(|| by_code(objects, namespace, frame))?;
    read_lines(objects, entry)
}

/// The entry of `linecache.cache`.
fn by_file(objects: &Objects, namespace: Addr, file: &str) -> Option<Addr> {
    let cache = objects.dict_get(namespace, "cache").ok()??;
    let items = objects.dict_items(cache).ok()?;
    items
        .into_iter()
        .find(|(key, _)| is(objects, *key, file))
        .map(|(_, entry)| entry)
}

/// The entry of `linecache._interactive_cache` (3.13+): its keys are tuples of name, file and
/// first line.
fn by_code(objects: &Objects, namespace: Addr, frame: &PyFrame) -> Option<Addr> {
    let cache = objects.dict_get(namespace, "_interactive_cache").ok()??;
    let items = objects.dict_items(cache).ok()?;
    let fits = |key: Addr| {
        let item = |index| objects.tuple_item(key, index).ok();
        let line = item(2).and_then(|line| objects.int(line).ok());
        item(0).is_some_and(|name| is(objects, name, &frame.function))
            && item(1).is_some_and(|file| is(objects, file, &frame.file))
            && line == Some(frame.first_line.into())
    };
    items
        .into_iter()
        .find(|(key, _)| fits(*key))
        .map(|(_, entry)| entry)
}

/// Whether the object is the string `text`.
fn is(objects: &Objects, object: Addr, text: &str) -> bool {
    let wanted = text.chars().count() as u64;
    let read = objects.text(object, wanted);
    read.is_ok_and(|read| read.left_out == 0 && read.value == text)
}

/// The lines of an entry (size, time, lines, full name). An entry of one item is a promise that
/// nobody has kept yet.
fn read_lines(objects: &Objects, entry: Addr) -> Option<Vec<String>> {
    let list = objects.tuple_item(entry, 2).ok()?;
    let items = objects.list_items(list, MOST_LINES).ok()?;
    let mut left = MOST_BYTES;
    let mut lines = Vec::with_capacity(items.len());
    for item in items {
        let line = objects.text(item, LONGEST_LINE).ok()?.value;
        left = left.checked_sub(line.len())?;
        lines.push(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    Some(lines)
}
