//! Opening the files a target names. A core is hostile: it may name a FIFO, a device or somebody
//! else's file, so only regular files are opened, without blocking, and where the target knows a
//! build-id the file must have the same one.

use super::build_id::{build_id_of, hex};
use super::debuginfod::{Client, Kind};
use super::shelf::FileId;
use super::{Options, rooted};
use crate::diag::Notes;
use memmap2::Mmap;
use nix::unistd::{SysconfVar, sysconf};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Bytes that one piece of advice is about: as much as the kernel reads ahead where nobody has set
/// another size. One call fetches no more than that, whatever it is asked for (Linux
/// mm/readahead.c, `force_page_cache_ra`).
const AT_ONCE: usize = 128 << 10;

/// Which of the places a file was found at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The user named it (`--exe`).
    Exe,
    /// Under the user's `--sysroot`.
    Sysroot,
    /// Under the live target's root directory.
    Root,
    /// At the very path.
    Here,
    /// Fetched by build-id.
    Fetched,
}

/// A regular file mapped into pydbg's memory.
#[derive(Debug)]
pub struct MappedFile {
    /// The path that was opened.
    pub path: PathBuf,
    /// How it was found.
    pub place: Place,
    /// What tells it from other files, where that was asked.
    pub id: Option<FileId>,
    map: Mmap,
}

impl MappedFile {
    /// What is known of a regular file. Anything else is refused without being opened: opening alone
    /// can block (a FIFO) or act (a tape, a watchdog).
    pub(super) fn look(path: &Path) -> Result<Metadata, FileProblem> {
        regular(std::fs::metadata(path))
    }

    /// Maps a regular file.
    pub fn open(path: &Path, place: Place) -> Result<MappedFile, FileProblem> {
        MappedFile::look(path)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
            .open(path)
            .map_err(problem)?;
        // The name may lead elsewhere by now; what is open is what counts.
        let metadata = regular(file.metadata())?;
        Ok(MappedFile {
            id: Some(FileId::of(&metadata)),
            ..MappedFile::of(&file, path.to_owned(), place)?
        })
    }

    /// Maps a file that is open; `path` is what it is called.
    pub(super) fn of(file: &File, path: PathBuf, place: Place) -> Result<MappedFile, FileProblem> {
        let map = map(file).map_err(|error| FileProblem::Io(error.to_string()))?;
        Ok(MappedFile {
            path,
            place,
            id: None,
            map,
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Tells the kernel that reads will jump about. Without it each first touch of a page maps the
    /// fifteen around it too: a core of 1,000 threads then took 100 MB of memory instead of 30.
    pub(super) fn expect_scattered_reads(&self) {
        // Only advice: where the kernel does not take it, everything still works.
        let _ = self.map.advise(memmap2::Advice::Random);
    }

    /// Tells the kernel that all of it will be read, so that it is fetched from disk in its order and
    /// not page by page as it is touched; not where it would fill more than half of this machine's
    /// memory, and throw out what it fetched first.
    pub(super) fn expect_all(&self) {
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        let pages = sysconf(SysconfVar::_PHYS_PAGES).ok().flatten();
        let memory = page
            .zip(pages)
            .map(|(page, pages)| page.saturating_mul(pages));
        let half = memory.and_then(|bytes| usize::try_from(bytes / 2).ok());
        if half.is_none_or(|half| self.map.len() > half) {
            return;
        }
        let _ = self.map.advise(memmap2::Advice::Normal);
        for start in (0..self.map.len()).step_by(AT_ONCE) {
            let len = AT_ONCE.min(self.map.len() - start);
            let _ = self.map.advise_range(memmap2::Advice::WillNeed, start, len);
        }
    }
}

/// Why a file could not be opened.
fn problem(error: io::Error) -> FileProblem {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileProblem::Missing,
        _ => FileProblem::Io(error.to_string()),
    }
}

/// What is known of a file, if that is a regular one.
fn regular(metadata: io::Result<Metadata>) -> Result<Metadata, FileProblem> {
    let metadata = metadata.map_err(problem)?;
    match metadata.file_type().is_file() {
        true => Ok(metadata),
        false => Err(FileProblem::NotRegular),
    }
}

#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is private and read-only, so pydbg never writes through it. The bytes
    // are not pydbg's alone: another process may change them, and nothing here relies on two
    // reads of one byte being equal for memory safety (each offset is checked against the length
    // of the mapping, which never changes). Where the file is made shorter while it is mapped,
    // reading behind its new end raises SIGBUS and ends pydbg; cores and libraries are replaced,
    // not shortened, by every usual tool.
    unsafe { Mmap::map(file) }
}

/// Why a file cannot be used, with what that costs said by the caller.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FileProblem {
    /// No such file at any of the places looked at.
    #[error("not found")]
    Missing,
    /// Not a regular file.
    #[error("not a regular file")]
    NotRegular,
    /// It could not be opened or mapped.
    #[error("{0}")]
    Io(String),
    /// Its build-id is not the one the target has.
    #[error("differs by build-id: the target has {wanted}, the file {found}")]
    BuildId {
        /// In the target, in hex.
        wanted: String,
        /// In the file, in hex, or `none`.
        found: String,
    },
    /// It is not here, and the servers did not help.
    #[error("{here}; the servers {why}")]
    Servers {
        /// The problem with the file here.
        here: String,
        /// The problem with the servers.
        why: String,
    },
}

impl FileProblem {
    /// How much a problem tells; of several places' problems the most telling is given.
    fn weight(&self) -> u8 {
        match self {
            FileProblem::Missing => 0,
            FileProblem::NotRegular => 1,
            FileProblem::Io(_) => 2,
            FileProblem::BuildId { .. } | FileProblem::Servers { .. } => 3,
        }
    }
}

/// A path of the target with the build-id it must have.
type Wanted = (String, Option<Vec<u8>>);
/// What came of it.
type Opened = Result<Arc<MappedFile>, FileProblem>;

/// Finds and opens the target's files: under the sysroot, then (live) under /proc/PID/root, then
/// at the very path.
#[derive(Debug, Default)]
pub struct Files {
    /// What the user said.
    pub options: Options,
    /// The folder that is the target's root directory as pydbg sees it, for live targets.
    root: Option<Root>,
    exe: OnceLock<String>,
    opened: Mutex<FxHashMap<Wanted, Opened>>,
    client: Client,
}

impl Files {
    /// Nothing is opened yet. `notes` get what is noticed in fetching files.
    pub fn new(options: Options, root: Option<PathBuf>, notes: &Notes) -> Files {
        Files {
            client: Client::new(&options, notes.clone()),
            options,
            root: root.map(Root::At),
            ..Files::default()
        }
    }

    /// The files of a copy of the target, which are found when its process has ended too.
    pub(crate) fn of_copy(&self, notes: &Notes) -> Files {
        Files {
            root: self.root.as_ref().map(Root::held),
            ..Files::new(self.options.clone(), None, notes)
        }
    }

    /// The folder that is the target's root directory as pydbg sees it, for live targets.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        self.root.as_ref().map(Root::path)
    }

    /// Says what the target calls its executable: the path that `--exe` stands for.
    pub fn set_exe(&self, path: &str) {
        // The first word counts: a target has one executable.
        let _ = self.exe.set(path.to_owned());
    }

    /// Opens the file the target calls `path`. When `build_id` is given, a file with another one
    /// is refused, and one that is not here is fetched if the user named servers. Results are
    /// remembered.
    pub fn open(
        &self,
        path: &str,
        build_id: Option<&[u8]>,
    ) -> Result<Arc<MappedFile>, FileProblem> {
        self.open_here(path, build_id).or_else(|problem| {
            let fetched = build_id.and_then(|id| self.client.get(Kind::Executable, id, path));
            match fetched {
                Some(Ok(file)) => Ok(file),
                Some(Err(why)) => Err(FileProblem::Servers {
                    here: problem.to_string(),
                    why,
                }),
                None => Err(problem),
            }
        })
    }

    /// Fetches the file with the DWARF of the file that the target calls `path`. `None` when there
    /// is none or the user named no servers.
    pub fn fetch_debug_file(&self, path: &str, build_id: &[u8]) -> Option<Arc<MappedFile>> {
        self.client.get(Kind::Debuginfo, build_id, path)?.ok()
    }

    /// Like [`Files::open`], but never fetches.
    pub fn open_here(
        &self,
        path: &str,
        build_id: Option<&[u8]>,
    ) -> Result<Arc<MappedFile>, FileProblem> {
        let key = (path.to_owned(), build_id.map(<[u8]>::to_vec));
        let opened = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened().get(&key) {
            return known.clone();
        }
        let result = self.find(path, build_id);
        // Another thread may have been faster; one of the two mappings is then dropped.
        opened().entry(key).or_insert(result).clone()
    }

    fn find(&self, path: &str, build_id: Option<&[u8]>) -> Opened {
        let mut worst = FileProblem::Missing;
        for (place, candidate) in self.candidates(path, build_id.is_some()) {
            let checked = self.options.shelf.open(&candidate, place).and_then(|file| {
                check(&file, build_id)?;
                Ok(file)
            });
            match checked {
                Ok(file) => return Ok(file),
                Err(problem) if problem.weight() > worst.weight() => worst = problem,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// Where the file may be, best first.
    fn candidates(&self, path: &str, checked: bool) -> Vec<(Place, PathBuf)> {
        let path_here = Path::new(path);
        let mut out = Vec::new();
        if let Some(exe) = &self.options.exe
            && self.exe.get().is_some_and(|own| own == path)
        {
            out.push((Place::Exe, exe.clone()));
        }
        // What is not absolute is no file: `[vdso]`, `anon_inode:[io_uring]`, `linux-vdso.so.1`.
        if !path_here.is_absolute() {
            return out;
        }
        if let Some(sysroot) = &self.options.sysroot {
            let inside = rooted::resolve(sysroot, path_here);
            out.extend(inside.map(|found| (Place::Sysroot, found)));
            let flat = path_here.file_name().map(|name| sysroot.join(name));
            out.extend(flat.map(|found| (Place::Sysroot, found)));
        }
        if let Some(root) = &self.root {
            let inside = rooted::resolve(&root.path(), path_here);
            out.extend(inside.map(|found| (Place::Root, found)));
        }
        // The same path may be another file in pydbg's own world: only a build-id tells.
        if self.root.is_none() || checked {
            out.push((Place::Here, path_here.to_owned()));
        }
        out
    }
}

/// The root directory of a live process, where that is not pydbg's own.
#[derive(Debug)]
enum Root {
    /// While the process lives.
    At(PathBuf),
    /// Open: it stays when the process ends, and another one gets its id.
    Held(Arc<File>),
}

impl Root {
    /// As it is, and open if that can be.
    fn held(&self) -> Root {
        let path = match self {
            Root::At(path) => path,
            Root::Held(file) => return Root::Held(Arc::clone(file)),
        };
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        match opened {
            Ok(file) => Root::Held(Arc::new(file)),
            Err(_) => Root::At(path.clone()),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Root::At(path) => path.clone(),
            Root::Held(file) => format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
        }
    }
}

/// Refuses a file with another build-id than the target's.
fn check(file: &MappedFile, wanted: Option<&[u8]>) -> Result<(), FileProblem> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let found = build_id_of(file.bytes());
    match found.as_deref() == Some(wanted) {
        true => Ok(()),
        false => Err(FileProblem::BuildId {
            wanted: hex(wanted),
            found: found.map_or("none".into(), |found| hex(&found)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let open = |path: &Path| MappedFile::open(path, Place::Here).map(|_| ());
        assert_eq!(open(&fifo), Err(FileProblem::NotRegular));
        assert_eq!(open(dir.path()), Err(FileProblem::NotRegular));
        assert_eq!(open(Path::new("/dev/zero")), Err(FileProblem::NotRegular));
        assert_eq!(open(&dir.path().join("no")), Err(FileProblem::Missing));
        let empty = dir.path().join("empty");
        std::fs::write(&empty, b"").unwrap();
        assert_eq!(open(&empty), Ok(()));
    }

    #[test]
    fn the_sysroot_comes_first_and_a_build_id_must_match() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let own_path = own.to_str().unwrap();
        let bytes = std::fs::read(&own).unwrap();
        let id = build_id_of(&bytes).expect("linkers write a build-id");
        let flat = dir.path().join(own.file_name().unwrap());
        std::fs::write(&flat, b"another file").unwrap();
        let options = Options {
            sysroot: Some(dir.path().to_owned()),
            ..Options::default()
        };
        let files = Files::new(options, None, &Notes::default());
        let unchecked = files.open(own_path, None).unwrap();
        assert_eq!(
            (unchecked.path.as_path(), unchecked.place),
            (&*flat, Place::Sysroot)
        );
        let checked = files.open(own_path, Some(&id)).unwrap();
        assert_eq!(checked.place, Place::Here);
        let other = files.open(own_path, Some(b"other"));
        assert!(matches!(other, Err(FileProblem::BuildId { .. })));
        assert!(Arc::ptr_eq(
            &checked,
            &files.open(own_path, Some(&id)).unwrap()
        ));
        assert!(files.open("[vdso]", None).is_err());
    }

    #[test]
    fn exe_stands_for_the_executable_alone() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("python");
        std::fs::write(&exe, b"x").unwrap();
        let options = Options {
            exe: Some(exe.clone()),
            ..Options::default()
        };
        let files = Files::new(options, None, &Notes::default());
        files.set_exe("/gone/python3");
        assert_eq!(files.open("/gone/python3", None).unwrap().path, exe);
        assert_eq!(
            files.open("/gone/lib.so", None).err(),
            Some(FileProblem::Missing)
        );
    }
}
