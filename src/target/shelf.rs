//! What was made of files on disk for one target and is as good for the next: hundreds of processes
//! run the same interpreter with the same libraries. A file is the same as long as it lies at the
//! same place of the same disk with the same length and time of change.

use super::files::{FileProblem, MappedFile, Place};
use rustc_hash::FxHashMap;
use std::any::{Any, TypeId};
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many things may lie about that nobody uses.
const MOST: usize = 256;

/// What tells a file on disk from all others, and from what it was before it changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileId {
    device: u64,
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> FileId {
        FileId {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Something made of files.
type Made = Arc<dyn Any + Send + Sync>;

/// The files, and the kind of the thing.
type Of = (TypeId, Vec<FileId>);

/// Files that are open, and what was made of them. Clones share it.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Things>>);

#[derive(Default)]
struct Things {
    files: FxHashMap<(FileId, PathBuf, Place), Arc<MappedFile>>,
    made: FxHashMap<Of, Made>,
}

impl Shelf {
    /// Maps a regular file, unless it is mapped already.
    pub(super) fn open(&self, path: &Path, place: Place) -> Result<Arc<MappedFile>, FileProblem> {
        let key = |id| (id, path.to_owned(), place);
        let id = FileId::of(&MappedFile::look(path)?);
        if let Some(known) = self.things().files.get(&key(id)) {
            return Ok(Arc::clone(known));
        }
        let file = Arc::new(MappedFile::open(path, place)?);
        let mut things = self.things();
        if let Some(id) = file.id {
            things.tidy();
            things.files.insert(key(id), Arc::clone(&file));
        }
        Ok(file)
    }

    /// What `make` makes of these files, unless it was made before.
    pub fn get<T: Any + Send + Sync>(&self, of: Vec<FileId>, make: impl FnOnce() -> T) -> Arc<T> {
        let key = (TypeId::of::<T>(), of);
        let known = self.things().made.get(&key).cloned();
        if let Some(known) = known.and_then(|known| known.downcast::<T>().ok()) {
            return known;
        }
        let made = Arc::new(make());
        let mut things = self.things();
        things.tidy();
        // Another thread may have been faster; what it made will do.
        let kept = things.made.entry(key).or_insert(Arc::clone(&made) as Made);
        Arc::clone(kept).downcast::<T>().unwrap_or(made)
    }

    fn things(&self) -> MutexGuard<'_, Things> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Things {
    /// Throws away what nobody uses when there is much.
    fn tidy(&mut self) {
        if self.made.len() >= MOST {
            self.made.retain(|_, made| Arc::strong_count(made) > 1);
        }
        if self.files.len() >= MOST {
            self.files.retain(|_, file| Arc::strong_count(file) > 1);
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = self.things();
        let (files, made) = (things.files.len(), things.made.len());
        write!(f, "Shelf({files} files, {made} made)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_mapped_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"one").unwrap();
        let shelf = Shelf::default();
        let open = || shelf.clone().open(&path, Place::Here).unwrap();
        let first = open();
        assert!(Arc::ptr_eq(&first, &open()));
        let length = |file: &Arc<MappedFile>| {
            let file = Arc::clone(file);
            *shelf.get(vec![file.id.unwrap()], || file.bytes().len())
        };
        assert_eq!(length(&first), 3);
        // As package managers do it: another file takes the place of the first.
        let other = folder.path().join("other");
        std::fs::write(&other, b"another").unwrap();
        std::fs::rename(&other, &path).unwrap();
        let second = open();
        assert_eq!(second.bytes(), b"another");
        assert_eq!((length(&first), length(&second)), (3, 7));
    }

    #[test]
    fn what_is_made_of_the_same_file_differs_by_its_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"one").unwrap();
        let shelf = Shelf::default();
        let id = shelf.open(&path, Place::Here).unwrap().id.unwrap();
        assert_eq!(*shelf.get(vec![id], || 1_u8), 1);
        assert_eq!(*shelf.get(vec![id], || 2_u8), 1);
        assert_eq!(*shelf.get(vec![id], || 3_u16), 3);
        assert_eq!(*shelf.get(vec![id, id], || 4_u8), 4);
    }

    #[test]
    fn little_lies_about() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::default();
        for number in 0..MOST + 9 {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, b"x").unwrap();
            let id = shelf.open(&path, Place::Here).unwrap().id.unwrap();
            shelf.get(vec![id], || number);
        }
        assert!(shelf.things().files.len() < 20 && shelf.things().made.len() < 20);
    }
}
