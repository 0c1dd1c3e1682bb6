//! A damage: bytes of a core that are changed, or its end cut off.

use super::victim::Victim;
use crate::harness::corefile::CoreFile;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is changed in a core file.
pub(super) struct Damage {
    /// What it is, in words.
    pub(super) name: String,
    patches: Vec<(usize, Vec<u8>)>,
    /// File ranges that the patches make unreachable, beside the bytes they change.
    hides: Vec<Range<usize>>,
    cut: Option<usize>,
    /// Nothing in the core tells that frames are missing.
    pub(super) silent: bool,
    /// So much is changed, and each run at other places of the process, that what is found in
    /// memory beside the broken lists may be leftovers of ended threads.
    pub(super) flood: bool,
}

impl Damage {
    /// No damage yet.
    pub(super) fn new(name: impl Into<String>) -> Damage {
        Damage {
            name: name.into(),
            patches: Vec::new(),
            hides: Vec::new(),
            cut: None,
            silent: false,
            flood: false,
        }
    }

    /// Overwrites bytes at a file offset.
    pub(super) fn write(mut self, at: usize, bytes: &[u8]) -> Damage {
        self.patches.push((at, bytes.to_vec()));
        self
    }

    /// Overwrites the 64-bit word at an address.
    pub(super) fn poke(self, core: &CoreFile, addr: u64, value: u64) -> Damage {
        self.write(core.offset(addr), &value.to_le_bytes())
    }

    /// Says that the bytes of a file range cannot be found any more.
    pub(super) fn hide(mut self, range: Range<usize>) -> Damage {
        self.hides.push(range);
        self
    }

    /// Says that the answer may look whole, because what is left is what a sound process can have.
    pub(super) fn silent(mut self) -> Damage {
        self.silent = true;
        self
    }

    /// Cuts the file off.
    pub(super) fn cut(mut self, len: usize) -> Damage {
        self.cut = Some(len);
        self
    }

    /// Whether any byte of a file range is changed, hidden or gone.
    pub(super) fn touches(&self, range: &Range<usize>) -> bool {
        let meets = |other: &Range<usize>| other.start < range.end && range.start < other.end;
        let mut patches = self.patches.iter();
        patches.any(|(at, bytes)| meets(&(*at..at + bytes.len())))
            || self.hides.iter().any(meets)
            || self.cut.is_some_and(|len| range.end > len)
    }
}

/// A copy of a core that is damaged and made whole again in place.
pub(super) struct Copy {
    path: PathBuf,
    file: File,
}

impl Copy {
    /// Copies the core of `victim` to `path`.
    pub(super) fn new(victim: &Victim, path: PathBuf) -> Copy {
        std::fs::write(&path, &victim.core.bytes).expect("a copy of the core");
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the copy");
        Copy { path, file }
    }

    /// Damages the copy while `use_it` runs.
    pub(super) fn with<T>(
        &self,
        victim: &Victim,
        damage: &Damage,
        use_it: impl FnOnce(&Path) -> T,
    ) -> T {
        let whole = &victim.core.bytes;
        for (at, bytes) in &damage.patches {
            self.file.write_all_at(bytes, *at as u64).expect("write");
        }
        if let Some(len) = damage.cut {
            self.file.set_len(len as u64).expect("cut");
        }
        let result = use_it(&self.path);
        if let Some(len) = damage.cut {
            self.file
                .write_all_at(&whole[len..], len as u64)
                .expect("restore");
        }
        for (at, bytes) in &damage.patches {
            let old = &whole[*at..at + bytes.len()];
            self.file.write_all_at(old, *at as u64).expect("restore");
        }
        result
    }
}
