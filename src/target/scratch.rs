//! Where a core is unpacked, or a snapshot is kept: a file without a name (open(2), O_TMPFILE;
//! memfd_create(2)), which is gone when pydbg ends, however it ends. The room it may take is found
//! out before.

use crate::diag::{Notes, human};
use crate::target::free_memory::free_memory;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::sys::statvfs::fstatvfs;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// /var/tmp is for large files and, unlike /tmp, hardly ever in memory (file-hierarchy(7)).
const FOLDERS: [&str; 2] = ["/var/tmp", "/tmp"];

/// So much memory is left to others.
const SPARE: u64 = 64 << 20;

/// A file without a name.
pub(crate) struct Scratch {
    /// Open for reading and writing, and empty.
    pub(crate) file: File,
    /// In which folder, or in memory.
    pub(crate) place: String,
    /// How many bytes may be written.
    pub(crate) room: u64,
    /// How long the file may become, holes included.
    pub(crate) longest: u64,
    /// Something to tell about the place.
    remark: Option<String>,
}

impl Scratch {
    /// Makes one in `wanted`, else where large temporary files go, else in memory. An error is a
    /// sentence that follows the path of the packed core.
    pub(crate) fn create(wanted: Option<&Path>) -> Result<Scratch, String> {
        let usual = FOLDERS.iter().map(Path::new);
        let mut refused = None;
        for folder in wanted.into_iter().chain(usual) {
            match nameless(folder).and_then(|file| Ok((room(&file)?, file))) {
                Ok((room, file)) => {
                    let remark = refused.map(|why| format!("{why}; {} was used", folder.display()));
                    return Ok(Scratch::of(
                        file,
                        folder.display().to_string(),
                        room,
                        remark,
                    ));
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
        let file = in_memory();
        let file =
            file.map_err(|error| format!("cannot be unpacked: {why}; in memory: {error}"))?;
        let remark = format!("{why}; it was unpacked into memory");
        Ok(Scratch::of(file, "memory".into(), room, Some(remark)))
    }

    /// Makes one for so many bytes of a process: in memory if so many are `free` and a quarter
    /// more, else on disk, in `wanted` or where large temporary files go. An error is a sentence
    /// that says why there is no room.
    pub(crate) fn for_copy(
        bytes: u64,
        free: u64,
        wanted: Option<&Path>,
    ) -> Result<Scratch, String> {
        let enough = bytes.saturating_add(bytes / 4).saturating_add(SPARE) < free;
        if let Some(file) = enough.then(in_memory).and_then(Result::ok) {
            return Ok(Scratch::of(file, "memory".into(), free, None));
        }
        let usual = FOLDERS.iter().map(Path::new);
        for folder in wanted.into_iter().chain(usual) {
            let on_disk =
                |file: &File| fstatfs(file).is_ok_and(|fs| fs.filesystem_type() != TMPFS_MAGIC);
            let found = nameless(folder).and_then(|file| Ok((room(&file)?, file)));
            if let Ok((room, file)) = found
                && on_disk(&file)
                && room > bytes
            {
                let place = folder.display().to_string();
                let remark =
                    format!("memory is short, so the copy is a file without a name in {place}");
                return Ok(Scratch::of(file, place, room, Some(remark)));
            }
        }
        Err(format!(
            "about {} are needed; {} of memory are free, and no folder for temporary files has \
             room (name another one with --scratch)",
            human(bytes),
            human(free)
        ))
    }

    fn of(file: File, place: String, room: u64, remark: Option<String>) -> Scratch {
        Scratch {
            file,
            place,
            room,
            longest: longest(),
            remark,
        }
    }

    /// Notes what is worth knowing about the place.
    pub(crate) fn say(&self, diag: &Notes) {
        if let Some(remark) = &self.remark {
            diag.info(remark.clone());
        }
    }
}

/// A file in memory, which nobody else may open by way of /proc.
fn in_memory() -> io::Result<File> {
    let file = File::from(memfd_create(c"pydbg-core", MFdFlags::MFD_CLOEXEC)?);
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
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
    fn a_copy_is_kept_in_memory_while_there_is_plenty() {
        let of = |bytes, free| Scratch::for_copy(bytes, free, None);
        let plenty = of(1 << 20, 1 << 30).unwrap();
        is_usable(&plenty.file);
        assert_eq!((plenty.place.as_str(), plenty.remark), ("memory", None));
        // Whether a folder is on disk is the machine's business.
        if let Ok(short) = of(1 << 20, 1 << 20) {
            is_usable(&short.file);
            assert!(short.remark.unwrap().contains(&short.place));
        }
        let why = of(u64::MAX, 1 << 30).err().unwrap();
        assert!(why.contains("are needed"), "{why}");
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
