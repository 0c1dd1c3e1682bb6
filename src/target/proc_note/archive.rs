//! The content of the note, read. A core may come from anybody, so the archive is taken as hostile:
//! no name of it is ever used on the file system, sizes are bounded by the note itself, and what is
//! nonsense, twice or of another kind is passed over with a note.

use super::{MOST_BYTES, MOST_MISSING, Moment, Opened, names};
use crate::diag::Notes;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::io::{self, Cursor};
use std::ops::Range;
use std::sync::OnceLock;
use tar::EntryType;

/// The most entries that are read: four of each of some 65,000 descriptors or threads.
const MOST_ENTRIES: usize = 300_000;

/// The longest name of an entry.
const MOST_NAME: usize = 64;

/// The longest target of a link that is read; the kernel's own are shorter than a page.
const MOST_LINK: usize = 4096;

/// What /proc told of a process when its core was written.
pub struct Kept {
    bytes: Box<[u8]>,
    files: FxHashMap<Box<str>, Range<usize>>,
    links: FxHashMap<Box<str>, Box<[u8]>>,
    opened: OnceLock<FxHashMap<i32, Opened>>,
}

impl Kept {
    /// Reads the content of a note; what is wrong with it is noted.
    pub(in crate::target) fn read(content: &[u8], notes: &Notes) -> Kept {
        if content.len() > MOST_BYTES {
            notes.partial("the core's note of /proc is too large; only its beginning is used");
        }
        let mut kept = Kept {
            bytes: content.get(..MOST_BYTES).unwrap_or(content).into(),
            files: FxHashMap::default(),
            links: FxHashMap::default(),
            opened: OnceLock::new(),
        };
        let (ignored, problem) = kept.list();
        if ignored > 0 {
            notes.partial(format!(
                "{ignored} entries of the core's note of /proc make no sense or are there twice"
            ));
        }
        if let Some(problem) = problem {
            let found = kept.files.len() + kept.links.len();
            notes.partial(format!(
                "the core's note of /proc is damaged after {found} entries: {problem}"
            ));
        }
        kept
    }

    /// Finds the entries: how many were passed over, and what ended the list too early.
    fn list(&mut self) -> (usize, Option<String>) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut archive = tar::Archive::new(Cursor::new(&*bytes));
        let told = self.entries(&bytes, &mut archive);
        self.bytes = bytes;
        match told {
            (ignored, Ok(())) => (ignored, None),
            (ignored, Err(error)) => (ignored, Some(error.to_string())),
        }
    }

    fn entries(
        &mut self,
        bytes: &[u8],
        archive: &mut tar::Archive<Cursor<&[u8]>>,
    ) -> (usize, io::Result<()>) {
        let mut ignored = 0;
        // The target of the next link, when it is too long for a header.
        let mut long: Option<Box<[u8]>> = None;
        // Without the meanings that other archives give to entries: sparse files, extensions.
        let entries = match archive.entries_with_seek() {
            Ok(entries) => entries.raw(true),
            Err(error) => return (0, Err(error)),
        };
        for (count, entry) in entries.enumerate() {
            let entry = match entry {
                Ok(entry) if count < MOST_ENTRIES => entry,
                Ok(_) => return (ignored, Err(io::Error::other("too many entries"))),
                Err(error) => return (ignored, Err(error)),
            };
            let content = content(bytes, entry.raw_file_position(), entry.size());
            let Some(content) = content else {
                return (ignored, Err(io::ErrorKind::UnexpectedEof.into()));
            };
            let header = entry.header();
            let name = name(&header.path_bytes());
            let used = match (header.entry_type(), name) {
                (EntryType::GNULongLink, _) => {
                    let target = bytes.get(content).unwrap_or_default();
                    let target = target.strip_suffix(b"\0").unwrap_or(target);
                    let fits = target.len() <= MOST_LINK && long.is_none();
                    long = fits.then(|| target.into());
                    fits
                }
                (EntryType::Regular, Some(name)) => add(&mut self.files, name, content),
                (EntryType::Symlink, Some(name)) => {
                    let short = || header.link_name_bytes().map(Cow::into_owned);
                    let target = long.take().or_else(|| Some(short()?.into()));
                    target.is_some_and(|target| add(&mut self.links, name, target))
                }
                _ => false,
            };
            ignored += usize::from(!used);
        }
        (ignored, Ok(()))
    }

    /// The bytes of a file. Of one that is not there, why.
    pub fn file(&self, name: &str) -> io::Result<&[u8]> {
        let range = self.files.get(name).cloned();
        let bytes = range.and_then(|range| self.bytes.get(range));
        bytes.ok_or_else(|| {
            let why = self.why_missing(name);
            let why = why.unwrap_or_else(|| "the core does not have it".to_owned());
            io::Error::new(io::ErrorKind::NotFound, why)
        })
    }

    /// What a link leads to.
    pub fn link(&self, name: &str) -> Option<&[u8]> {
        self.links.get(name).map(|target| &**target)
    }

    /// The files and links of a folder whose names are numbers, by number.
    pub fn numbers(&self, folder: &str) -> Vec<i32> {
        let names = self.files.keys().chain(self.links.keys());
        let number = |name: &str| {
            let name = name.strip_prefix(folder)?.strip_prefix('/')?;
            let number: i32 = name.parse().ok()?;
            // One number has one name.
            (number.to_string() == name).then_some(number)
        };
        let mut numbers: Vec<i32> = names.filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// When the process was looked at.
    pub(in crate::target) fn moment(&self) -> Option<Moment> {
        Moment::parse(self.file(names::ABOUT).ok()?)
    }

    /// What stat(2) told of an open file.
    pub(in crate::target) fn opened(&self, fd: i32) -> Option<Opened> {
        let all = self.opened.get_or_init(|| {
            let text = self.file(names::OPENED).unwrap_or_default();
            Opened::parse(text)
        });
        all.get(&fd).copied()
    }

    /// Why an entry is not there, as whoever wrote the core has said.
    pub fn why_missing(&self, name: &str) -> Option<String> {
        let range = self.files.get(names::MISSING).cloned()?;
        let text = self.bytes.get(range)?;
        let text = String::from_utf8_lossy(text.get(..MOST_MISSING).unwrap_or(text));
        text.lines().find_map(|line| {
            let why = line.strip_prefix(name)?.strip_prefix(": ")?;
            Some(format!("it could not be read then: {why}"))
        })
    }
}

/// Where the content of an entry lies, if all of it is there.
fn content(bytes: &[u8], start: u64, size: u64) -> Option<Range<usize>> {
    let start = usize::try_from(start).ok()?;
    let range = start..start.checked_add(usize::try_from(size).ok()?)?;
    bytes.get(range.clone()).map(|_| range)
}

/// The name, if it can be one.
fn name(bytes: &[u8]) -> Option<Box<str>> {
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let sound = !bytes.is_empty() && bytes.len() <= MOST_NAME && bytes.iter().all(usual);
    sound.then(|| String::from_utf8_lossy(bytes).into())
}

/// Adds an entry, unless there is one of this name.
fn add<T>(all: &mut FxHashMap<Box<str>, T>, name: Box<str>, value: T) -> bool {
    match all.contains_key(&name) {
        true => false,
        false => all.insert(name, value).is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::Packer;
    use super::*;

    fn sample() -> Vec<u8> {
        let mut packer = Packer::new(0);
        packer.text("status", "Name:\tx\n");
        packer.text("fdinfo/3", "pos:\t0\n");
        packer.file("smaps", &Err("permission denied".to_owned()));
        packer.link("fd/3", b"/tmp/a b");
        packer.link("fd/10", &[b'x'; 300]);
        packer.link("fd/07", b"nonsense");
        packer.finish()
    }

    #[test]
    fn what_was_packed_is_read() {
        let notes = Notes::default();
        let kept = Kept::read(&sample(), &notes);
        assert!(notes.is_empty(), "{:?}", notes.all());
        assert_eq!(kept.file("status").unwrap(), b"Name:\tx\n");
        assert_eq!(kept.link("fd/3").unwrap(), b"/tmp/a b");
        assert_eq!(kept.link("fd/10").unwrap(), [b'x'; 300]);
        assert_eq!(kept.numbers("fd"), [3, 10]);
        assert!(kept.numbers("f").is_empty());
        let why = kept.file("smaps").unwrap_err().to_string();
        assert_eq!(why, "it could not be read then: permission denied");
        let why = kept.file("io").unwrap_err().to_string();
        assert_eq!(why, "the core does not have it");
    }

    #[test]
    fn damage_is_told_and_the_rest_is_used() {
        let whole = sample();
        for (at, step) in (0..whole.len()).step_by(7).zip(1_u8..=255) {
            let mut damaged = whole.clone();
            damaged[at] = damaged[at].wrapping_add(step);
            Kept::read(&damaged, &Notes::default());
            let notes = Notes::default();
            let kept = Kept::read(&whole[..at], &notes);
            assert!(kept.files.len() <= 3);
        }
        let notes = Notes::default();
        let kept = Kept::read(&whole[..1024 + 100], &notes);
        assert_eq!(kept.file("status").unwrap(), b"Name:\tx\n");
        assert!(!notes.is_empty());
    }

    #[test]
    fn twice_and_nonsense_are_passed_over() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |name: &[u8], kind: EntryType, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name);
            header.set_size(content.len() as u64);
            header.set_entry_type(kind);
            header.set_cksum();
            builder.append(&header, content).unwrap();
        };
        add(b"status", EntryType::Regular, b"first");
        add(b"status", EntryType::Regular, b"second");
        add(b"../../etc/x y", EntryType::Regular, b"x");
        add(b"dev", EntryType::Block, b"");
        add(b"sparse", EntryType::GNUSparse, b"");
        let notes = Notes::default();
        let kept = Kept::read(&builder.into_inner().unwrap(), &notes);
        assert_eq!(kept.file("status").unwrap(), b"first");
        assert_eq!(kept.files.len() + kept.links.len(), 1);
        assert!(notes.all()[0].text.starts_with("4 entries"), "{notes:?}");
    }
}
