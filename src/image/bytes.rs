//! Bytes of ELF files and of their sections: shared, never copied, never moved. A section handle
//! can live in a lazily built table without borrowing from the image that owns the file.

use crate::target::MappedFile;
use crate::target::shelf::FileId;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The bytes of one ELF file: mapped from disk, or copied out of the target's memory (vDSO).
#[derive(Clone)]
pub enum ElfBytes {
    /// A file on disk.
    File(Arc<MappedFile>),
    /// Bytes that pydbg owns.
    Owned(Arc<Vec<u8>>),
}

impl ElfBytes {
    /// What tells the file from others; nothing for bytes that are no file.
    pub fn id(&self) -> Option<FileId> {
        match self {
            ElfBytes::File(file) => file.id,
            ElfBytes::Owned(_) => None,
        }
    }
}

impl Deref for ElfBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            ElfBytes::File(file) => file.bytes(),
            ElfBytes::Owned(bytes) => bytes,
        }
    }
}

/// A range of an ELF file's bytes, or an uncompressed copy of it. Cheap to clone.
#[derive(Clone)]
pub struct Section {
    /// The section's stated address; 0 when it is not loaded.
    pub svma: u64,
    bytes: ElfBytes,
    range: Range<usize>,
}

impl Section {
    /// The part `range` of `bytes`; empty when that does not lie within them.
    pub fn new(svma: u64, bytes: ElfBytes, range: Range<usize>) -> Section {
        let range = match bytes.get(range.clone()) {
            Some(_) => range,
            None => 0..0,
        };
        Section { svma, bytes, range }
    }

    /// Bytes that pydbg owns.
    pub fn owned(svma: u64, bytes: Vec<u8>) -> Section {
        let range = 0..bytes.len();
        Section {
            svma,
            bytes: ElfBytes::Owned(Arc::new(bytes)),
            range,
        }
    }

    /// A section without bytes.
    pub fn empty() -> Section {
        Section::owned(0, Vec::new())
    }

    /// Whether the stated address lies in it.
    pub fn contains(&self, svma: u64) -> bool {
        svma.checked_sub(self.svma)
            .is_some_and(|offset| offset < self.range.len() as u64)
    }
}

impl Deref for Section {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({:#x}, {} bytes)", self.svma, self.range.len())
    }
}

// SAFETY: the bytes live in a file mapping or in a `Vec` behind an `Arc`, neither of which is ever
// changed; so a moved `Section` still points at the same bytes.
#[allow(unsafe_code)]
unsafe impl gimli::StableDeref for Section {}

// SAFETY: a clone shares the same `Arc`, so it points at the same bytes as the original, and keeps
// them alive.
#[allow(unsafe_code)]
unsafe impl gimli::CloneStableDeref for Section {}
