//! Files by build-id from the servers that the user names, kept in the cache that elfutils and gdb
//! use too. Nothing is ever asked unless the user names a server. What comes back is used only if
//! it is an ELF file with that very build-id.
//!
//! Mirrors debuginfod(8), "WEBAPI", and elfutils' debuginfod/debuginfod-client.c (0.192): the
//! variables, the cache, the limits. Servers are asked one after the other; the `ima:` policies and
//! `file:` addresses of elfutils are left out.

#[cfg_attr(not(feature = "debuginfod"), allow(dead_code))]
mod cache;
#[cfg(feature = "debuginfod")]
mod http;
#[cfg(test)]
#[cfg(feature = "debuginfod")]
mod tests;

use super::Options;
use super::build_id::{build_id_of, hex};
use super::files::{MappedFile, Place};
use crate::diag::{Cancel, Notes, Progress, human};
use cache::{Cache, Known};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The lengths of build-ids that are asked for: linkers write 8 to 20 bytes, elfutils takes fewer
/// than 64.
const BUILD_IDS: std::ops::Range<usize> = 4..64;

/// Whom to ask for files, and what that may cost.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Their addresses, in the order in which they are asked. With none, nothing is asked and the
    /// cache is not looked at.
    pub urls: Vec<String>,
    /// Where fetched files are kept; without it nothing is fetched.
    pub cache: Option<PathBuf>,
    /// How long a server may take for each 100 KB.
    pub timeout: Duration,
    /// How long one file may take in all.
    pub max_time: Option<Duration>,
    /// The largest file that is fetched, in bytes.
    pub max_size: u64,
}

impl Default for Servers {
    fn default() -> Servers {
        Servers {
            urls: Vec::new(),
            cache: None,
            timeout: Duration::from_secs(90),
            max_time: None,
            // Firefox has debug files of 3 GB, and no Python module has larger ones.
            max_size: 4_000_000_000,
        }
    }
}

impl Servers {
    /// As the variables of debuginfod-client-config(7) say: `DEBUGINFOD_URLS`, `_CACHE_PATH`,
    /// `_TIMEOUT`, `_MAXTIME`, `_MAXSIZE`, and for the cache `XDG_CACHE_HOME` and `HOME`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Servers {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let number = |name: &str| {
            let number = variable(name)?.trim().parse::<u64>().ok()?;
            (number > 0).then_some(number)
        };
        let urls = variable("DEBUGINFOD_URLS").unwrap_or_default();
        let is_url = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
        let default = Servers::default();
        Servers {
            urls: (urls.split_whitespace().filter(is_url))
                .map(|url| url.trim_end_matches('/').to_owned())
                .collect(),
            cache: cache::place(variable),
            timeout: number("DEBUGINFOD_TIMEOUT").map_or(default.timeout, Duration::from_secs),
            max_time: number("DEBUGINFOD_MAXTIME").map(Duration::from_secs),
            max_size: number("DEBUGINFOD_MAXSIZE").unwrap_or(default.max_size),
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    /// The file with the DWARF.
    Debuginfo,
    /// The file that runs.
    Executable,
}

impl Kind {
    /// In addresses and in the cache.
    fn word(self) -> &'static str {
        match self {
            Kind::Debuginfo => "debuginfo",
            Kind::Executable => "executable",
        }
    }
}

/// Why a server's answer is of no use.
#[derive(Debug)]
#[cfg_attr(not(feature = "debuginfod"), expect(dead_code))]
enum Failure {
    /// It does not have the file.
    Unknown,
    /// The user does not want to wait.
    Cancelled,
    /// This file cannot be had.
    File(String),
    /// The server cannot be reached or is too slow: the next file would not come either.
    Server(String),
}

/// What came of asking for a file: the file, or why there is none.
type Answer = Result<Arc<MappedFile>, String>;
/// What was asked for; held by whoever asks.
type Asked = Arc<Mutex<Option<Answer>>>;

/// Asks the servers, each for each file once.
#[derive(Debug, Default)]
pub(super) struct Client {
    servers: Servers,
    cancel: Cancel,
    #[cfg_attr(not(feature = "debuginfod"), expect(dead_code))]
    progress: Progress,
    notes: Notes,
    /// Servers that are no longer asked.
    given_up: Mutex<FxHashSet<String>>,
    asked: Mutex<FxHashMap<(Kind, Vec<u8>), Asked>>,
    #[cfg(feature = "debuginfod")]
    http: std::sync::OnceLock<http::Http>,
}

impl Client {
    /// Nothing is asked yet.
    pub(super) fn new(options: &Options, notes: Notes) -> Client {
        Client {
            servers: options.debuginfod.clone(),
            cancel: options.cancel.clone(),
            progress: options.progress.clone(),
            notes,
            ..Client::default()
        }
    }

    /// The file with this build-id. `name` is what to call it. `None` when nobody is to be asked;
    /// an error follows the words "the servers".
    pub(super) fn get(&self, kind: Kind, build_id: &[u8], name: &str) -> Option<Answer> {
        if self.servers.urls.is_empty() || !BUILD_IDS.contains(&build_id.len()) {
            return None;
        }
        let asked = {
            let mut all = lock(&self.asked);
            Arc::clone(all.entry((kind, build_id.to_vec())).or_default())
        };
        let mut answer = lock(&asked);
        if let Some(known) = &*answer {
            return Some(known.clone());
        }
        let found = self.find(kind, build_id, name);
        if found.is_ok() || !self.cancel.is_cancelled() {
            *answer = Some(found.clone());
        }
        Some(found)
    }

    fn find(&self, kind: Kind, build_id: &[u8], name: &str) -> Answer {
        let Some(folder) = &self.servers.cache else {
            return Err("were not asked, as there is no folder for a cache".into());
        };
        let id = hex(build_id);
        let cache = Cache::new(folder, &id, kind.word());
        match cache.known() {
            Known::File(path) => {
                if let Some(file) = usable(path, build_id) {
                    return Ok(file);
                }
                // Damaged; what is fetched replaces it.
            }
            Known::Missing => return Err("do not have it".into()),
            Known::Nothing => {}
        }
        let mut problem = None;
        for server in &self.servers.urls {
            if lock(&self.given_up).contains(server) {
                continue;
            }
            let begun = Instant::now();
            let fetched = self
                .fetch(server, &cache, &id, kind, name)
                .and_then(|path| {
                    let other = || Failure::File("sent something else".into());
                    usable(path, build_id).ok_or_else(other)
                });
            match fetched {
                Ok(file) => {
                    self.notes.info(format!(
                        "fetched the {} of {name} from {server}: {} in {:.1} s",
                        kind.word(),
                        human(file.bytes().len() as u64),
                        begun.elapsed().as_secs_f64()
                    ));
                    return Ok(file);
                }
                Err(Failure::Unknown) => {}
                Err(Failure::Cancelled) => {
                    let what = format!("fetching the {} of {name} was interrupted", kind.word());
                    self.notes.partial(what);
                    return Err("were not asked, as that was interrupted".into());
                }
                Err(Failure::File(why)) => {
                    let what = kind.word();
                    self.notes
                        .partial(format!("{server} {why} for the {what} of {name}"));
                    problem = Some(format!("did not help: {server} {why}"));
                }
                Err(Failure::Server(why)) => {
                    lock(&self.given_up).insert(server.clone());
                    self.notes.partial(format!(
                        "{server} {why}; it is not asked again, and functions may lack names and \
                         lines"
                    ));
                }
            }
        }
        let given_up = lock(&self.given_up).len();
        match problem {
            Some(problem) => Err(problem),
            None if given_up > 0 => Err("do not all answer".into()),
            None => {
                cache.remember_missing();
                Err("do not have it".into())
            }
        }
    }
}

/// The file, if it is the one that was asked for.
fn usable(path: PathBuf, build_id: &[u8]) -> Option<Arc<MappedFile>> {
    let file = MappedFile::open(&path, Place::Fetched).ok();
    match file.filter(|file| build_id_of(file.bytes()).as_deref() == Some(build_id)) {
        Some(file) => Some(Arc::new(file)),
        None => {
            // The next one who asks must not find it.
            let _ = std::fs::remove_file(path);
            None
        }
    }
}

#[cfg(feature = "debuginfod")]
impl Client {
    /// Fetches the file into the cache.
    fn fetch(
        &self,
        server: &str,
        cache: &Cache,
        id: &str,
        kind: Kind,
        name: &str,
    ) -> Result<PathBuf, Failure> {
        let storing = |error| Failure::File(format!("cannot be stored in the cache: {error}"));
        if self.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let part = cache.part().map_err(storing)?;
        let wanted = http::Wanted {
            url: format!("{server}/buildid/{id}/{}", kind.word()),
            what: format!("fetching the {} of {name}", kind.word()),
            servers: &self.servers,
            cancel: &self.cancel,
            progress: &self.progress,
        };
        let part = self.http.get_or_init(http::Http::new).get(&wanted, part)?;
        part.keep(cache).map_err(storing)
    }
}

#[cfg(not(feature = "debuginfod"))]
impl Client {
    /// Nothing can be fetched.
    fn fetch(&self, _: &str, _: &Cache, _: &str, _: Kind, _: &str) -> Result<PathBuf, Failure> {
        let why = "cannot be asked, as this pydbg was built without the feature debuginfod";
        Err(Failure::Server(why.into()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
