//! The cache of fetched files, in the layout of elfutils, so that what gdb has fetched is there for
//! pydbg and the other way round: `BUILDID/debuginfo`, `BUILDID/executable`, an empty file for what
//! no server has. Cleaning is left to elfutils.
//!
//! Mirrors elfutils' debuginfod/debuginfod-client.c (0.192), `make_cache_path` and
//! `debuginfod_query_server_by_buildid`.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long it is believed that no server has a file, unless the file `cache_miss_s` says so.
const MISSING_FOR: Duration = Duration::from_secs(600);

/// Where the cache is, as the environment says.
pub(super) fn place(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from);
    if let Some(path) = folder("DEBUGINFOD_CACHE_PATH") {
        return Some(path);
    }
    let home = folder("HOME");
    let old = home
        .as_ref()
        .map(|home| home.join(".debuginfod_client_cache"));
    if let Some(old) = old.filter(|old| old.is_dir()) {
        return Some(old);
    }
    let base = folder("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
    base.map(|base| base.join("debuginfod_client"))
}

/// What the cache knows of a file.
pub(super) enum Known {
    /// It is here.
    File(PathBuf),
    /// No server had it a short while ago.
    Missing,
    /// Nothing.
    Nothing,
}

/// The place of one file in the cache.
pub(super) struct Cache {
    top: PathBuf,
    folder: PathBuf,
    path: PathBuf,
}

impl Cache {
    /// `id` is in hex, and `kind` is `debuginfo` or `executable`.
    pub(super) fn new(top: &Path, id: &str, kind: &str) -> Cache {
        let folder = top.join(id);
        Cache {
            top: top.to_owned(),
            path: folder.join(kind),
            folder,
        }
    }

    /// Looks it up.
    pub(super) fn known(&self) -> Known {
        let Ok(meta) = std::fs::metadata(&self.path) else {
            return Known::Nothing;
        };
        if meta.len() > 0 {
            return Known::File(self.path.clone());
        }
        let age = meta.modified().ok();
        let age = age.and_then(|at| SystemTime::now().duration_since(at).ok());
        match age.is_some_and(|age| age <= self.missing_for()) {
            true => Known::Missing,
            false => Known::Nothing,
        }
    }

    fn missing_for(&self) -> Duration {
        let said = std::fs::read_to_string(self.top.join("cache_miss_s")).ok();
        let seconds = said.and_then(|said| said.trim().parse().ok());
        seconds.map_or(MISSING_FOR, Duration::from_secs)
    }

    /// Remembers that no server has it. That this fails costs only time.
    pub(super) fn remember_missing(&self) {
        let _ = self.make_folder();
        let _ = std::fs::remove_file(&self.path);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.path);
        drop(made);
    }

    /// A file beside it to write to.
    pub(super) fn part(&self) -> io::Result<Part> {
        const TRIES: u32 = 100;
        self.make_folder()?;
        let mut last = io::ErrorKind::AlreadyExists.into();
        for try_ in 0..TRIES {
            let ending = format!("{:x}-{try_}", std::process::id());
            let path = self.path.with_extension(ending);
            let made = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match made {
                Ok(file) => return Ok(Part { file, path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.folder)
    }
}

/// A file that is being fetched; it is removed unless it is kept.
pub(super) struct Part {
    /// Open for writing.
    pub(super) file: File,
    path: PathBuf,
}

impl Part {
    /// Gives the file its name, in one step. Like elfutils, it makes it read-only.
    pub(super) fn keep(self, cache: &Cache) -> io::Result<PathBuf> {
        self.file.set_permissions(Permissions::from_mode(0o400))?;
        std::fs::rename(&self.path, &cache.path)?;
        Ok(cache.path.clone())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Once it is kept it has another name.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_that_of_elfutils() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let home_path = home.path().to_str().unwrap().to_owned();
        let place = |set: &[(&str, &str)]| {
            let value = |name: &str| {
                let given = set.iter().find(|(key, _)| *key == name);
                given.map(|(_, value)| (*value).to_owned())
            };
            super::place(value)
        };
        let own = ("HOME", home_path.as_str());
        assert_eq!(place(&[]), None);
        assert_eq!(place(&[own]), Some(at(".cache/debuginfod_client")));
        let xdg = ("XDG_CACHE_HOME", "/x");
        assert_eq!(place(&[own, xdg]), Some("/x/debuginfod_client".into()));
        std::fs::create_dir(at(".debuginfod_client_cache")).unwrap();
        assert_eq!(place(&[own, xdg]), Some(at(".debuginfod_client_cache")));
        let said = ("DEBUGINFOD_CACHE_PATH", "/y");
        assert_eq!(place(&[own, xdg, said]), Some("/y".into()));
    }

    #[test]
    fn what_is_missing_is_forgotten_after_a_while() {
        let top = tempfile::tempdir().unwrap();
        let cache = Cache::new(top.path(), "0123abcd", "debuginfo");
        assert!(matches!(cache.known(), Known::Nothing));
        cache.remember_missing();
        assert!(matches!(cache.known(), Known::Missing));
        let file = File::open(&cache.path).unwrap();
        let past = SystemTime::now() - Duration::from_secs(700);
        file.set_modified(past).unwrap();
        assert!(matches!(cache.known(), Known::Nothing));
        std::fs::write(top.path().join("cache_miss_s"), "1000\n").unwrap();
        assert!(matches!(cache.known(), Known::Missing));
        let meta = std::fs::metadata(top.path().join("0123abcd")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_part_becomes_the_file_or_nothing() {
        use std::io::Write;
        let top = tempfile::tempdir().unwrap();
        let cache = Cache::new(top.path(), "0123abcd", "executable");
        cache.remember_missing();
        let mut part = cache.part().unwrap();
        let other = cache.part().unwrap();
        part.file.write_all(b"ELF").unwrap();
        assert!(matches!(cache.known(), Known::Missing));
        let path = part.keep(&cache).unwrap();
        assert_eq!(path, top.path().join("0123abcd/executable"));
        drop(other);
        let names: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        assert!(matches!(cache.known(), Known::File(_)));
    }
}
