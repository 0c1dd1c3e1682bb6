//! Searching the writable memory of the Python image, for when no symbol tells: the runtime's
//! cookie, interpreters by their circular pointers, the version string. Needs no files.

use super::layout::{COOKIE, Layout};
use crate::addr::Addr;
use crate::bytes;
use crate::target::{Mapping, Memory, Target};
use rustc_hash::FxHashSet;

/// Memory to search, the likeliest first.
pub(super) struct Regions {
    /// Writable mappings of files that look like Python, with the anonymous memory behind them.
    pub(super) python: Vec<(Addr, Addr)>,
    /// The same of all other files.
    pub(super) files: Vec<(Addr, Addr)>,
    /// All other writable memory of moderate size.
    pub(super) anonymous: Vec<(Addr, Addr)>,
}

/// Anonymous mappings above this size are heaps and stacks, not a program's variables.
const LARGEST_ANONYMOUS: u64 = 64 << 20;

/// When all writable memory is searched, more than this is not, in bytes.
const MOST_SEARCHED: u64 = 4 << 30;

/// Bytes looked at in one piece.
const PIECE: u64 = 1 << 20;

/// What is still found where a piece cannot be read whole.
const PAGE: u64 = 4096;

impl Regions {
    /// The regions of a target.
    pub(super) fn of(target: &Target) -> Regions {
        let mut regions = Regions {
            python: Vec::new(),
            files: Vec::new(),
            anonymous: Vec::new(),
        };
        // The file whose .bss an anonymous mapping may be: it ends where the mapping begins.
        let mut owner: Option<(&Mapping, bool)> = None;
        for mapping in &target.mappings {
            let adjoining = owner.filter(|(before, _)| before.end == mapping.start);
            let range = (mapping.start, mapping.end);
            let python = match (mapping.file(), adjoining) {
                (Some(path), _) => Some(is_python(path)),
                (None, Some((_, python))) if mapping.path.is_none() => Some(python),
                _ => None,
            };
            owner = python.map(|python| (mapping, python));
            if !mapping.write {
                continue;
            }
            match python {
                Some(true) => regions.python.push(range),
                Some(false) => regions.files.push(range),
                None if mapping.len() <= LARGEST_ANONYMOUS => regions.anonymous.push(range),
                None => {}
            }
        }
        regions
    }

    /// Each kind with its name, the likeliest first.
    pub(super) fn all(&self) -> [(&'static str, &[(Addr, Addr)]); 3] {
        [
            ("the Python image", &self.python),
            ("the images", &self.files),
            ("anonymous memory", &self.anonymous),
        ]
    }
}

/// Whether a file name looks like CPython's executable or library.
pub(super) fn is_python(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("libpython") || name.starts_with("python")
}

/// Where the cookie of `_Py_DebugOffsets` is.
pub(super) fn cookies(memory: &dyn Memory, regions: &[(Addr, Addr)]) -> Vec<Addr> {
    let wanted = u64::from_le_bytes(*COOKIE);
    let mut found = Vec::new();
    each_word(memory, regions, &mut |addr, word| {
        if word == wanted {
            found.push(addr);
        }
    });
    found
}

/// Addresses of what looks like an interpreter: something points at it, it points at a thread
/// state, which points back, and whose thread id is that of a thread.
pub(super) fn interpreters(
    target: &Target,
    layout: &Layout,
    regions: &[(Addr, Addr)],
    is_thread: &dyn Fn(u64) -> bool,
) -> Vec<Addr> {
    let memory = &*target.memory;
    let fields = &layout.fields;
    let mut seen = FxHashSet::default();
    let mut found = Vec::new();
    each_word(memory, regions, &mut |_, word| {
        let interpreter = Addr(word);
        let writable = |addr: Addr| {
            addr.0.is_multiple_of(8) && target.mapping(addr).is_some_and(|mapping| mapping.write)
        };
        if word < PAGE || !writable(interpreter) || !seen.insert(interpreter) {
            return;
        }
        let thread = memory.ptr(fields.interpreter.threads.of(interpreter));
        let Ok(thread) = thread
            .map_err(drop)
            .and_then(|t| writable(t).then_some(t).ok_or(()))
        else {
            return;
        };
        let back = memory.ptr(fields.thread.interp.of(thread));
        let id = memory.u64(fields.thread.thread_id.of(thread));
        if back == Ok(interpreter) && id.is_ok_and(is_thread) {
            found.push(interpreter);
        }
    });
    found
}

/// The addresses at which a word holds `value`.
pub(super) fn holders(memory: &dyn Memory, regions: &[(Addr, Addr)], value: Addr) -> Vec<Addr> {
    let mut found = Vec::new();
    each_word(memory, regions, &mut |addr, word| {
        if word == value.0 {
            found.push(addr);
        }
    });
    found
}

/// Visits the addresses at which a word of private writable memory holds one of `values`.
pub(super) fn each_holder(target: &Target, values: &FxHashSet<u64>, visit: &mut dyn FnMut(Addr)) {
    // Such values lie close to each other; most words are told by a comparison.
    let (Some(low), Some(high)) = (values.iter().min(), values.iter().max()) else {
        return;
    };
    let mut left = MOST_SEARCHED;
    let mappings = target.mappings.iter();
    let mut regions = Vec::new();
    for mapping in mappings.filter(|mapping| mapping.write && !mapping.shared) {
        let length = mapping.len().min(left);
        regions.push((mapping.start, mapping.start.add(length)));
        left -= length;
    }
    each_word(&*target.memory, &regions, &mut |at, word| {
        if *low <= word && word <= *high && values.contains(&word) {
            visit(at);
        }
    });
}

/// The first version string, as `Py_GetVersion` writes it: `3.11.7 (main, …`.
pub(super) fn version_string(memory: &dyn Memory, regions: &[(Addr, Addr)]) -> Option<String> {
    let mut found = None;
    each_piece(memory, regions, &mut |_, piece| {
        if found.is_none() {
            found = find_version(piece);
        }
    });
    found
}

/// Finds `MAJOR.MINOR.MICRO` followed by ` (` or by a suffix such as `rc1 (` or `+ (`.
fn find_version(piece: &[u8]) -> Option<String> {
    const LONGEST: usize = 16;
    for (index, pair) in piece.windows(2).enumerate() {
        if pair != b" (" {
            continue;
        }
        let before = piece.get(index.saturating_sub(LONGEST)..index)?;
        let start = before
            .iter()
            .rposition(|b| !(b.is_ascii_alphanumeric() || b".+".contains(b)));
        let word = before.get(start.map_or(0, |at| at + 1)..)?;
        let text = std::str::from_utf8(word).ok()?;
        let numbers = text.split('.').collect::<Vec<_>>();
        let [major, minor, micro] = numbers[..] else {
            continue;
        };
        let digit = micro.starts_with(|c: char| c.is_ascii_digit());
        if matches!(major, "2" | "3") && minor.parse::<u8>().is_ok() && digit {
            return Some(text.to_owned());
        }
    }
    None
}

/// Visits every aligned word of the regions that can be read.
pub(super) fn each_word(
    memory: &dyn Memory,
    regions: &[(Addr, Addr)],
    visit: &mut dyn FnMut(Addr, u64),
) {
    each_piece(memory, regions, &mut |start, piece| {
        for index in (0..piece.len()).step_by(8) {
            if let Some(word) = bytes::u64_at(piece, index) {
                visit(start.add(index as u64), word);
            }
        }
    });
}

/// Visits the regions in pieces; where a piece cannot be read whole, page by page.
fn each_piece(memory: &dyn Memory, regions: &[(Addr, Addr)], visit: &mut dyn FnMut(Addr, &[u8])) {
    for (start, end) in regions {
        let mut at = *start;
        while let Some(left) = end.since(at).filter(|left| *left > 0) {
            let length = left.min(PIECE);
            match memory.bytes(at, length as usize) {
                Ok(piece) => visit(at, &piece),
                Err(_) => {
                    for page in (0..length).step_by(PAGE as usize) {
                        let size = PAGE.min(length - page) as usize;
                        if let Ok(piece) = memory.bytes(at.add(page), size) {
                            visit(at.add(page), &piece);
                        }
                    }
                }
            }
            at = at.add(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_strings_are_told_from_other_text() {
        let find = |text: &str| find_version(text.as_bytes());
        assert_eq!(find("\0\x003.11.7 (main, Dec"), Some("3.11.7".into()));
        assert_eq!(find("x 3.13.0rc1+ (heads"), Some("3.13.0rc1+".into()));
        assert_eq!(find("2.7.18 (default"), Some("2.7.18".into()));
        assert_eq!(find("1.2.3 (x) 10.3.11.7 (y) see 3.11 (z)"), None);
        assert_eq!(find(" ("), None);
    }

    #[test]
    fn python_images_are_known_by_name() {
        assert!(is_python("/usr/lib/libpython3.11.so.1.0"));
        assert!(is_python("/usr/bin/python3"));
        assert!(!is_python("/usr/lib/python3/_x.so"));
    }
}
