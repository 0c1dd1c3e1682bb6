//! Where a core is written: a file that has no name (open(2), O_TMPFILE) until it is whole, so that
//! none is left behind however pydbg ends; where the file system knows no such files, one of
//! another name beside it. Nobody but the user may read it, whatever the umask. Links are not
//! followed, and a folder in which anybody may put a file under any name is refused. A snapshot
//! goes to a file that never gets a name.

use super::DumpError;
use crate::target::sparse;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Only the user may read and write it.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// What a core is written to.
pub(super) struct Place {
    /// As the user wrote it, for messages.
    pub(super) path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// A file that is to get a name.
    Named(Named),
    /// A file that has none, and is empty.
    Nameless(File),
}

/// The name and the folder a core is for.
struct Named {
    folder: OwnedFd,
    name: OsString,
    replace: bool,
}

/// A file on its way; it vanishes unless it gets its name.
pub(super) struct Unfinished<'p> {
    place: &'p Place,
    /// Open for reading and writing.
    pub(super) file: File,
    /// Its name for now, where it must have one.
    name: Option<OsString>,
    /// How long a file of this user may be.
    longest: u64,
}

impl Place {
    /// Looks at the place. Unless `replace`, there may be nothing yet under the name.
    pub(super) fn new(path: &Path, replace: bool) -> Result<Place, DumpError> {
        let cannot = |why: &str| DumpError::Place(path.to_owned(), why.to_owned());
        let system = |errno: Errno| cannot(&words(errno.into()));
        let name = path
            .file_name()
            .ok_or_else(|| cannot("that is no name for a file"))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder =
            openat(AT_FDCWD, folder, flags, Mode::empty()).map_err(|errno| match errno {
                Errno::ENOENT | Errno::ENOTDIR => cannot("there is no such folder"),
                errno => system(errno),
            })?;
        let mode = Mode::from_bits_truncate(fstat(&folder).map_err(system)?.st_mode);
        if mode.contains(Mode::S_IWOTH) && !mode.contains(Mode::S_ISVTX) {
            return Err(cannot(
                "anybody may write to that folder and replace files there (it has no sticky bit); \
                 name another one, or `chmod +t` it",
            ));
        }
        let named = Named {
            folder,
            name: name.to_owned(),
            replace,
        };
        let taken = named.is_taken();
        if taken == Some(SFlag::S_IFDIR) {
            return Err(cannot("that is a folder"));
        }
        if taken.is_some() && !replace {
            return Err(DumpError::Exists(path.to_owned()));
        }
        Ok(Place {
            path: path.to_owned(),
            kind: Kind::Named(named),
        })
    }

    /// A place of a file that has no name and is empty; `path` is what it is called in messages.
    pub(super) fn nameless(file: File, path: PathBuf) -> Place {
        Place {
            path,
            kind: Kind::Nameless(file),
        }
    }

    /// Whether there is room for so many bytes, of which the file system has some for others too.
    pub(super) fn expect(&self, bytes: u64) -> Result<(), DumpError> {
        let Kind::Named(named) = &self.kind else {
            return Ok(());
        };
        let Ok(system) = fstatvfs(&named.folder) else {
            return Ok(());
        };
        let free = system
            .blocks_available()
            .saturating_mul(system.fragment_size());
        match free < bytes {
            true => Err(DumpError::NoRoom {
                path: self.path.clone(),
                wanted: bytes,
                free,
            }),
            false => Ok(()),
        }
    }

    /// An empty file.
    pub(super) fn begin(&self) -> Result<Unfinished<'_>, DumpError> {
        let (file, name) = match &self.kind {
            Kind::Named(named) => named.begin().map_err(|errno| self.system(errno))?,
            Kind::Nameless(file) => {
                let file = file.try_clone();
                (file.map_err(|error| self.cannot(&words(error)))?, None)
            }
        };
        let unfinished = Unfinished {
            place: self,
            file,
            name,
            longest: getrlimit(Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(soft, _)| soft),
        };
        // The umask may have taken the user's own rights.
        fchmod(&unfinished.file, MODE).map_err(|errno| self.system(errno))?;
        Ok(unfinished)
    }

    fn cannot(&self, why: &str) -> DumpError {
        DumpError::Place(self.path.clone(), why.to_owned())
    }

    fn system(&self, errno: Errno) -> DumpError {
        self.cannot(&words(errno.into()))
    }
}

impl Unfinished<'_> {
    /// Writes bytes where nothing was written yet, but for pages of zeros; gives the number of
    /// bytes that need room.
    pub(super) fn write_sparse(&self, bytes: &[u8], at: u64) -> Result<u64, DumpError> {
        self.allow(at.saturating_add(bytes.len() as u64))?;
        sparse::write_at(&self.file, bytes, at).map_err(|error| self.failed(error))
    }

    /// Writes bytes.
    pub(super) fn write(&self, bytes: &[u8], at: u64) -> Result<(), DumpError> {
        self.allow(at.saturating_add(bytes.len() as u64))?;
        let written = self.file.write_all_at(bytes, at);
        written.map_err(|error| self.failed(error))
    }

    /// Gives the file its length.
    pub(super) fn set_len(&self, len: u64) -> Result<(), DumpError> {
        self.allow(len)?;
        self.file.set_len(len).map_err(|error| self.failed(error))
    }

    /// Whether a file may be so long; to write beyond the limit would end pydbg (SIGXFSZ).
    pub(super) fn allow(&self, len: u64) -> Result<(), DumpError> {
        match len > self.longest {
            true => Err(self.failed(Errno::EFBIG.into())),
            false => Ok(()),
        }
    }

    /// The length, and the bytes that it takes up.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let meta = self.file.metadata();
        meta.map_or((0, 0), |meta| (meta.len(), meta.blocks() * 512))
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), DumpError> {
        let place = self.place;
        let Kind::Named(wanted) = &place.kind else {
            return Ok(());
        };
        let named = match &self.name {
            Some(name) if wanted.replace => wanted.rename(name),
            Some(name) => wanted.link_from(name),
            None => match wanted.link(&self.file, &wanted.name) {
                Err(Errno::EEXIST) if wanted.replace => {
                    let name = wanted.other_name();
                    let linked = wanted.link(&self.file, &name);
                    self.name = Some(name.clone());
                    linked.and_then(|()| wanted.rename(&name))
                }
                linked => linked,
            },
        };
        match named {
            Ok(()) => {
                self.name = None;
                Ok(())
            }
            Err(Errno::EEXIST) => Err(DumpError::Exists(place.path.clone())),
            Err(errno) => Err(place.system(errno)),
        }
    }

    fn failed(&self, error: io::Error) -> DumpError {
        self.place.cannot(&words(error))
    }
}

impl Named {
    /// What kind of file has the name, if there is one.
    fn is_taken(&self) -> Option<SFlag> {
        let name = self.name.as_os_str();
        let there = fstatat(&self.folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        Some(SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT)
    }

    /// An empty file, and its name for now where it must have one.
    fn begin(&self) -> Result<(File, Option<OsString>), Errno> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
        match openat(&self.folder, ".", flags | OFlag::O_TMPFILE, MODE) {
            Ok(file) => Ok((file.into(), None)),
            // NFS, 9p, FUSE, overlayfs before Linux 6.3.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => {
                let name = self.other_name();
                let flags = flags | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
                let file = openat(&self.folder, name.as_os_str(), flags, MODE)?;
                Ok((file.into(), Some(name)))
            }
            Err(errno) => Err(errno),
        }
    }

    /// A name beside the one it is for.
    fn other_name(&self) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{}.unfinished", std::process::id()));
        name
    }

    /// Gives a file without a name one that nobody has.
    fn link(&self, file: &File, name: &OsStr) -> Result<(), Errno> {
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, own.as_str(), &self.folder, name, follow)
    }

    fn rename(&self, name: &OsStr) -> Result<(), Errno> {
        renameat(&self.folder, name, &self.folder, self.name.as_os_str())
    }

    /// Gives a file another name that nobody has. Not every file system has links.
    fn link_from(&self, name: &OsStr) -> Result<(), Errno> {
        let own = self.name.as_os_str();
        match linkat(&self.folder, name, &self.folder, own, AtFlags::empty()) {
            Ok(()) => unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir),
            Err(Errno::EEXIST) => Err(Errno::EEXIST),
            Err(_) => self.rename(name),
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let (Some(name), Kind::Named(named)) = (&self.name, &self.place.kind) {
            // There is nobody to tell; the name says what it is.
            let _ = unlinkat(&named.folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// What is wrong, and what to try.
fn words(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            "there is no room left on that file system; name a file on another one".into()
        }
        io::ErrorKind::QuotaExceeded => "the quota is used up; name a file elsewhere".into(),
        io::ErrorKind::FileTooLarge => {
            "it becomes larger than a file may be there (see `ulimit -f`)".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).unwrap();
        entries.flatten().map(|entry| entry.file_name()).collect()
    }

    #[test]
    fn a_file_has_no_name_until_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.1");
        let place = Place::new(&path, false).unwrap();
        let unfinished = place.begin().unwrap();
        unfinished.write(b"one", 0).unwrap();
        assert!(names(folder.path()).is_empty());
        drop(unfinished);
        let unfinished = place.begin().unwrap();
        unfinished.write(b"two", 0).unwrap();
        unfinished.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(matches!(
            Place::new(&path, false),
            Err(DumpError::Exists(_))
        ));
        // The name was taken meanwhile.
        let unfinished = place.begin().unwrap();
        assert!(matches!(unfinished.finish(), Err(DumpError::Exists(_))));
        let place = Place::new(&path, true).unwrap();
        let unfinished = place.begin().unwrap();
        unfinished.write(b"three", 0).unwrap();
        unfinished.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(names(folder.path()), ["core.1"]);
    }

    #[test]
    fn a_file_with_a_name_vanishes_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.1");
        let place = Place::new(&path, false).unwrap();
        let named = || {
            let Kind::Named(wanted) = &place.kind else {
                panic!("it is to have a name");
            };
            let name = wanted.other_name();
            let file = File::create_new(folder.path().join(&name)).unwrap();
            Unfinished {
                place: &place,
                file,
                name: Some(name),
                longest: 9,
            }
        };
        assert!(named().write(b"0123456789", 0).is_err());
        assert!(names(folder.path()).is_empty());
        named().finish().unwrap();
        assert_eq!(names(folder.path()), ["core.1"]);
        assert!(matches!(named().finish(), Err(DumpError::Exists(_))));
        assert_eq!(names(folder.path()), ["core.1"]);
    }

    #[test]
    fn a_file_without_a_name_never_gets_one() {
        let file = tempfile::tempfile().unwrap();
        let place = Place::nameless(file, "a copy".into());
        place.expect(u64::MAX).unwrap();
        let unfinished = place.begin().unwrap();
        unfinished.write(b"one", 0).unwrap();
        let own = unfinished.file.try_clone().unwrap();
        unfinished.finish().unwrap();
        let meta = own.metadata().unwrap();
        assert_eq!(
            (meta.nlink(), meta.len(), meta.mode() & 0o777),
            (0, 3, 0o600)
        );
    }

    #[test]
    fn odd_places_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.1");
        let why = |path: &Path, replace| match Place::new(path, replace) {
            Ok(_) => panic!("{}", path.display()),
            Err(error) => error.to_string(),
        };
        symlink("nowhere", &path).unwrap();
        assert!(why(&path, false).contains("exists already"));
        let place = Place::new(&path, true).unwrap();
        place.begin().unwrap().finish().unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert!(!folder.path().join("nowhere").exists());
        assert!(why(folder.path(), true).contains("is a folder"));
        assert!(why(&folder.path().join("no/core"), true).contains("no such folder"));
        assert!(why(Path::new("/"), true).contains("no name"));
        let mode = |mode| fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode));
        mode(0o777).unwrap();
        assert!(why(&path, true).contains("sticky"));
        mode(0o1777).unwrap();
        let place = Place::new(&path, true).unwrap();
        assert!(matches!(
            place.expect(u64::MAX),
            Err(DumpError::NoRoom { .. })
        ));
        place.expect(1).unwrap();
    }
}
