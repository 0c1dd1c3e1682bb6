//! Packs files and links as a tar archive of bounded size, as GNU tar writes it.

use super::{MOST_BYTES, MOST_MISSING, names};
use std::io;
use tar::{Builder, EntryType, Header};

/// Bytes of a block of an archive; every entry has a header of one, and its content fills whole ones.
const BLOCK: usize = 512;

/// The longest target of a link that a header has room for.
const MOST_IN_HEADER: usize = 100;

/// What GNU tar calls the entry that has a longer one.
const LONG_LINK: &str = "././@LongLink";

/// The bytes of a file, or why it could not be read.
pub(super) type Told = Result<Vec<u8>, String>;

/// An archive that is being written.
pub(super) struct Packer {
    tar: Builder<Vec<u8>>,
    /// Seconds since 1970.
    time: u64,
    missing: String,
}

impl Packer {
    /// An archive of files of this time, in seconds since 1970.
    pub(super) fn new(time: u64) -> Packer {
        Packer {
            tar: Builder::new(Vec::new()),
            time,
            missing: String::new(),
        }
    }

    /// Adds a file, or says why it is missing.
    pub(super) fn file(&mut self, name: &str, content: &Told) {
        match content {
            Ok(content) => self.bytes(name, content),
            Err(why) => self.leave_out(name, why),
        }
    }

    /// Adds a file of bytes.
    pub(super) fn bytes(&mut self, name: &str, content: &[u8]) {
        self.entry(name, EntryType::Regular, content, b"");
    }

    /// Adds a file of text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.bytes(name, text.as_bytes());
    }

    /// Adds a link.
    pub(super) fn link(&mut self, name: &str, target: &[u8]) {
        if target.len() > MOST_IN_HEADER {
            let content = [target, b"\0"].concat();
            self.entry(LONG_LINK, EntryType::GNULongLink, &content, b"");
        }
        let short = target.get(..MOST_IN_HEADER).unwrap_or(target);
        self.entry(name, EntryType::Symlink, b"", short);
    }

    /// Says why something is missing.
    pub(super) fn leave_out(&mut self, name: &str, why: &str) {
        let line = format!("{name}: {why}\n");
        if self.missing.len() + line.len() <= MOST_MISSING {
            self.missing.push_str(&line);
        }
    }

    /// How many bytes may still be added.
    pub(super) fn room(&self) -> usize {
        MOST_BYTES.saturating_sub(self.tar.get_ref().len() + MOST_MISSING + 6 * BLOCK)
    }

    fn entry(&mut self, name: &str, kind: EntryType, content: &[u8], link: &[u8]) {
        if content.len().next_multiple_of(BLOCK) + BLOCK > self.room() {
            self.leave_out(name, "too large");
            return;
        }
        if let Err(error) = self.append(name, kind, content, link) {
            self.leave_out(name, &error.to_string());
        }
    }

    fn append(
        &mut self,
        name: &str,
        kind: EntryType,
        content: &[u8],
        link: &[u8],
    ) -> io::Result<()> {
        /// Only the owner may read it.
        const MODE: u32 = 0o600;
        let mut header = Header::new_gnu();
        // As it is: what sets a path takes `./` out of it.
        let place = header.as_old_mut().name.get_mut(..name.len());
        let place = place.ok_or(io::ErrorKind::InvalidInput)?;
        place.copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(MODE);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_link_name_literal(link)?;
        header.set_cksum();
        self.tar.append(&header, content)
    }

    /// The archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if !self.missing.is_empty() {
            let missing = std::mem::take(&mut self.missing).into_bytes();
            // There is room for it by what `room` keeps back.
            let told = self.append(names::MISSING, EntryType::Regular, &missing, b"");
            debug_assert!(told.is_ok());
        }
        self.tar.into_inner().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_left_out() {
        let mut packer = Packer::new(0);
        packer.file("first", &Ok(vec![1; MOST_BYTES - (1 << 20)]));
        packer.file("second", &Ok(vec![2; 1 << 20]));
        packer.file("third", &Ok(vec![3; 1 << 10]));
        let bytes = packer.finish();
        assert!(bytes.len() <= MOST_BYTES);
        let mut archive = tar::Archive::new(&*bytes);
        let names = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            String::from_utf8(entry.path_bytes().into_owned()).unwrap()
        });
        assert_eq!(names.collect::<Vec<_>>(), ["first", "third", "missing"]);
    }
}
