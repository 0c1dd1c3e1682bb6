//! Writing a file with holes: pages of zeros are left out, as in the kernel's own cores.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What a hole consists of.
const PAGE: usize = 4096;
static ZEROS: [u8; PAGE] = [0; PAGE];

/// Writes `bytes` at an offset where nothing was written yet, but for pages of zeros. Parts of
/// pages count as pages: what was never written reads as zero. Gives the number of bytes that need
/// room.
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<u64> {
    let mut rest = bytes;
    let mut run = 0;
    let mut at = offset;
    let mut written = 0;
    let mut put = |data: &[u8], at| {
        written += data.len() as u64;
        match data.is_empty() {
            true => Ok(()),
            false => file.write_all_at(data, at),
        }
    };
    while let Some(page) = rest.get(run..).filter(|page| !page.is_empty()) {
        let into_page = (at as usize).wrapping_add(run) % PAGE;
        let page = page.get(..PAGE - into_page).unwrap_or(page);
        if ZEROS.get(..page.len()) != Some(page) {
            run += page.len();
            continue;
        }
        let (data, behind) = rest.split_at(run);
        put(data, at)?;
        at = at.wrapping_add((run + page.len()) as u64);
        rest = behind.get(page.len()..).unwrap_or_default();
        run = 0;
    }
    put(rest, at)?;
    Ok(written)
}

/// Appends to an empty file.
pub(super) struct Sparse<'a> {
    file: &'a File,
    len: u64,
    written: u64,
}

impl Sparse<'_> {
    /// `file` is empty.
    pub(super) fn new(file: &File) -> Sparse<'_> {
        Sparse {
            file,
            len: 0,
            written: 0,
        }
    }

    /// The bytes appended.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes that need room.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Appends `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = write_at(self.file, bytes, self.len)?;
        self.written = self.written.saturating_add(written);
        self.len = self.len.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Gives the file its length, which a hole at its end does not.
    pub(super) fn finish(self) -> io::Result<()> {
        self.file.set_len(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_become_holes_however_the_bytes_are_cut() {
        let mut bytes = vec![0; 64 * PAGE + 100];
        for at in [0, 5, 3 * PAGE - 1, 3 * PAGE, 20 * PAGE + 7, 63 * PAGE] {
            bytes[at] = 1 | at as u8;
        }
        for piece in [1, 7, 4095, 4096, 4097, 3 * PAGE + 1, bytes.len()] {
            let file = tempfile::tempfile().unwrap();
            let mut out = Sparse::new(&file);
            for part in bytes.chunks(piece) {
                out.write(part).unwrap();
            }
            assert_eq!(out.len(), bytes.len() as u64);
            assert!(out.written() <= 6 * PAGE as u64, "{piece}");
            out.finish().unwrap();
            let mut back = vec![1; bytes.len()];
            file.read_exact_at(&mut back, 0).unwrap();
            assert!(back == bytes, "{piece}");
            assert!(file.metadata().unwrap().blocks() * 512 <= 8 * PAGE as u64);
        }
    }
}
