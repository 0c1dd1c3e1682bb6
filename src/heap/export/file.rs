//! A file that is there as a whole or not at all: it is made under another name beside the one it is
//! for, and only its owner may read it, since it tells of another process's memory.

use super::ExportError;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is being made; it is removed unless it was finished.
pub(super) struct Unfinished<'p> {
    /// Where it is now.
    pub(super) path: PathBuf,
    target: &'p Path,
    replace: bool,
    done: bool,
}

impl<'p> Unfinished<'p> {
    /// An empty file. Unless `replace`, there may be none yet under the name it is for.
    pub(super) fn new(target: &'p Path, replace: bool) -> Result<Unfinished<'p>, ExportError> {
        let failed = |error| ExportError::File(target.to_owned(), error);
        let Some(name) = target.file_name() else {
            return Err(failed(ErrorKind::InvalidInput.into()));
        };
        if !replace && fs::symlink_metadata(target).is_ok() {
            return Err(ExportError::Exists(target.to_owned()));
        }
        let mut own = OsString::from(".");
        own.push(name);
        own.push(format!(".{}.unfinished", std::process::id()));
        let path = target.with_file_name(own);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&path).map_err(failed)?;
        Ok(Unfinished {
            path,
            target,
            replace,
            done: false,
        })
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        let named = match self.replace {
            true => fs::rename(&self.path, self.target),
            false => self.link(),
        };
        match named {
            Ok(()) => self.done = true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(ExportError::Exists(self.target.to_owned()));
            }
            Err(error) => return Err(ExportError::File(self.target.to_owned(), error)),
        }
        Ok(())
    }

    /// The name, which nobody may have taken meanwhile. Not every file system has links.
    fn link(&self) -> io::Result<()> {
        match fs::hard_link(&self.path, self.target) {
            Ok(()) => fs::remove_file(&self.path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
            Err(_) => fs::rename(&self.path, self.target),
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            // There is nobody to tell; the name says what it is.
            _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.flatten().map(|entry| entry.file_name()).collect()
    }

    #[test]
    fn there_is_no_half_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("heap.db");
        drop(Unfinished::new(&target, false).expect("a new file"));
        assert!(names(folder.path()).is_empty());
        let unfinished = Unfinished::new(&target, false).expect("a new file");
        fs::write(&unfinished.path, "one").expect("written");
        unfinished.finish().expect("named");
        assert_eq!(names(folder.path()), ["heap.db"]);
        let mode = fs::metadata(&target).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = Unfinished::new(&target, false).err();
        assert!(matches!(refused, Some(ExportError::Exists(_))));
        let unfinished = Unfinished::new(&target, true).expect("a new file");
        fs::write(&unfinished.path, "two").expect("written");
        unfinished.finish().expect("named");
        assert_eq!(fs::read(&target).expect("read"), b"two");
        // Somebody else takes the name meanwhile.
        fs::remove_file(&target).expect("removed");
        let unfinished = Unfinished::new(&target, false).expect("a new file");
        fs::write(&target, "theirs").expect("written");
        assert!(matches!(unfinished.finish(), Err(ExportError::Exists(_))));
        assert_eq!(names(folder.path()), ["heap.db"]);
        assert_eq!(fs::read(&target).expect("read"), b"theirs");
        assert!(Unfinished::new(Path::new("/"), true).is_err());
    }
}
