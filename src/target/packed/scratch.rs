//! Where a core is unpacked: a file without a name (open(2), O_TMPFILE), which is gone when pydbg
//! ends, however it ends. The room it may take is found out before.

use crate::diag::Notes;
use crate::target::free_memory::free_memory;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::fstatvfs;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// /var/tmp is for large files and, unlike /tmp, hardly ever in memory (file-hierarchy(7)).
const FOLDERS: [&str; 2] = ["/var/tmp", "/tmp"];

/// A file without a name.
pub(super) struct Scratch {
    /// Open for reading and writing, and empty.
    pub(super) file: File,
    /// In which folder, or in memory.
    pub(super) place: String,
    /// How many bytes may be written.
    pub(super) room: u64,
    /// How long the file may become, holes included.
    pub(super) longest: u64,
    /// Something to tell about the place.
    remark: Option<String>,
}

impl Scratch {
    /// Makes one in `wanted`, else where large temporary files go, else in memory. An error is a
    /// sentence that follows the path of the packed core.
    pub(super) fn create(wanted: Option<&Path>) -> Result<Scratch, String> {
        let usual = FOLDERS.iter().map(Path::new);
        let mut refused = None;
        for folder in wanted.into_iter().chain(usual) {
            match nameless(folder).and_then(|file| Ok((room(&file)?, file))) {
                Ok((room, file)) => {
                    return Ok(Scratch {
                        file,
                        place: folder.display().to_string(),
                        room,
                        longest: longest(),
                        remark: refused.map(|why| format!("{why}; {} was used", folder.display())),
                    });
                }
                Err(error) => {
                    let why = format!(
                        "{} cannot hold the unpacked core: {error}",
                        folder.display()
                    );
                    refused.get_or_insert(why);
                }
            }
        }
        let why = refused.unwrap_or_default();
        let room = free_memory().unwrap_or(0) / 2;
        let file = memfd_create(c"pydbg-core", MFdFlags::MFD_CLOEXEC);
        let file =
            file.map_err(|error| format!("cannot be unpacked: {why}; in memory: {error}"))?;
        Ok(Scratch {
            file: file.into(),
            place: "memory".into(),
            room,
            longest: longest(),
            remark: Some(format!("{why}; it was unpacked into memory")),
        })
    }

    /// Notes what is worth knowing about the place.
    pub(super) fn say(&self, diag: &Notes) {
        if let Some(remark) = &self.remark {
            diag.info(remark.clone());
        }
    }
}

/// A file in `folder` without a name, which O_EXCL keeps from ever getting one.
fn nameless(folder: &Path) -> io::Result<File> {
    let made = OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE | libc::O_EXCL | libc::O_CLOEXEC)
        .open(folder);
    let error = match made {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    match error.raw_os_error() {
        // NFS, 9p, FUSE, overlayfs before Linux 6.3: a file that loses its name at once.
        Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT) if folder.is_dir() => unlinked(folder),
        _ => Err(error),
    }
}

fn unlinked(folder: &Path) -> io::Result<File> {
    const TRIES: u32 = 100;
    let mut last = io::ErrorKind::AlreadyExists.into();
    for try_ in 0..TRIES {
        let name = format!(".pydbg-{}-{try_}", std::process::id());
        let path: PathBuf = folder.join(name);
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_CLOEXEC)
            .open(&path);
        match made {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// What may be written: the rest is left to the others who use the file system.
fn room(file: &File) -> io::Result<u64> {
    let free = fstatvfs(file)?;
    let bytes = free.blocks_available().saturating_mul(free.fragment_size());
    Ok(bytes - bytes / 20)
}

/// `ulimit -f`. A write beyond it would end pydbg by SIGXFSZ.
fn longest() -> u64 {
    getrlimit(Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::os::unix::fs::MetadataExt;

    fn is_usable(mut scratch: &File) {
        scratch.write_all(b"core").unwrap();
        scratch.rewind().unwrap();
        let mut back = String::new();
        scratch.read_to_string(&mut back).unwrap();
        assert_eq!(back, "core");
        let meta = scratch.metadata().unwrap();
        assert_eq!((meta.nlink(), meta.mode() & 0o777), (0, 0o600));
    }

    #[test]
    fn the_file_has_no_name_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(Some(folder.path())).unwrap();
        is_usable(&scratch.file);
        is_usable(&unlinked(folder.path()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(scratch.room > 0);
        assert_eq!(scratch.place, folder.path().display().to_string());
        assert!(scratch.remark.is_none());
    }

    #[test]
    fn another_folder_is_used_when_the_wanted_one_cannot_be() {
        let scratch = Scratch::create(Some(Path::new("/proc/self"))).unwrap();
        is_usable(&scratch.file);
        let remark = scratch.remark.unwrap();
        assert!(remark.contains("/proc/self cannot hold"), "{remark}");
        assert!(FOLDERS.contains(&scratch.place.as_str()));
    }
}
