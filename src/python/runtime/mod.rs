//! Where CPython's runtime state is, and which layout it has. Looked for in this order, and each
//! place validated before it is believed:
//!
//! 1. the exported symbol `_PyRuntime` (3.7+), in the executable or in libpython;
//! 2. the section `.PyRuntime` (3.10+) of the file;
//! 3. the cookie of `_Py_DebugOffsets` (3.13+) in writable memory;
//! 4. `interp_head` and `_PyThreadState_Current` (2.7, 3.6);
//! 5. interpreters themselves, by the pointers that come back to them;
//! 6. the first two again with offsets from DWARF, for a build that no table fits;
//! 7. thread states on the stacks of their threads, for a core that is cut early.
//!
//! Steps 3, 5 and 7 need no files: what they look at is in every core.

mod by_dwarf;
mod by_pointers;
mod by_statics;
mod by_symbol;
mod by_threads;

use super::PythonError;
use super::layout::Layout;
use super::scan::{self, Regions};
use super::validate::{self, Verdict};
use super::version::{self, Hint, Version};
use crate::addr::Addr;
use crate::diag::Notes;
use crate::native::Process;
use crate::target::Target;
use serde::Serialize;

/// The runtime as found.
#[derive(Clone, Debug, Serialize)]
pub struct Runtime {
    /// Address of `_PyRuntime` (3.7+).
    pub addr: Option<Addr>,
    /// The image it lies in.
    pub image: Option<String>,
    /// How it was found, in words.
    pub source: String,
}

/// What was found, validated.
pub(super) struct Found {
    pub(super) runtime: Runtime,
    pub(super) version: Version,
    pub(super) layout: Layout,
    /// The first interpreter of the list.
    pub(super) head: Addr,
}

/// Finds the runtime of `process`; `known` is where it was a moment ago, which saves the search.
pub(super) fn find(
    process: &Process,
    notes: &Notes,
    known: Option<&Runtime>,
) -> Result<Found, PythonError> {
    let target = &*process.target;
    let pointers = target
        .threads
        .iter()
        .filter_map(|t| t.registers?.thread_pointer);
    let is_thread = validate::thread_test(&*target.memory, pointers);
    let regions = Regions::of(target);
    let search = Search {
        process,
        target,
        hint: version::hint(target, &regions),
        regions,
        is_thread: &is_thread,
        notes,
    };
    let known = known.and_then(|known| search.at_runtime(known.addr?, &known.source).ok());
    known.map_or_else(|| search.run(), Ok)
}

/// The address and image of a symbol of the Python image, exported or not.
pub(super) fn symbol(process: &Process, name: &str) -> Option<(Addr, String)> {
    if let Some((image, addr, _)) = process.images.exported(name) {
        return Some((addr, image.path.clone()));
    }
    let mut images = process
        .images
        .all
        .iter()
        .filter(|image| scan::is_python(&image.path));
    images.find_map(|image| Some((image.named(name)?.0, image.path.clone())))
}

/// What the search works on. Each step of it is in a file of its own.
struct Search<'a> {
    process: &'a Process,
    target: &'a Target,
    regions: Regions,
    hint: Option<Hint>,
    is_thread: &'a dyn Fn(u64) -> bool,
    notes: &'a Notes,
}

impl Search<'_> {
    fn run(&self) -> Result<Found, PythonError> {
        let mut tried = Vec::new();
        let mut unsupported = None;
        for (addr, source) in self.stated_places().chain(self.cookie_places()) {
            match self.at_runtime(addr, &source) {
                Ok(found) => return Ok(found),
                Err(PythonError::NotFound(why)) => tried.push(format!("{source} at {addr}: {why}")),
                Err(error) => unsupported = unsupported.or(Some(error)),
            }
        }
        let other = self
            .by_statics()
            .or_else(|| self.by_pointers())
            .or_else(|| self.by_dwarf())
            .or_else(|| self.by_threads());
        match (other, unsupported) {
            (Some(found), _) => Ok(found),
            (None, Some(error)) => Err(error),
            (None, None) => Err(self.nothing(&tried)),
        }
    }

    /// Says why there is nothing; `tried` are the places that were looked at.
    fn nothing(&self, tried: &[String]) -> PythonError {
        match self.hint {
            Some(hint) if !Layout::knows(hint.version) => PythonError::Unsupported {
                version: format!(
                    "{}.{} (as {} says)",
                    hint.version.0, hint.version.1, hint.source
                ),
                why: KNOWN.into(),
            },
            Some(hint) if tried.is_empty() => PythonError::NotFound(format!(
                "{} says {}.{}, but no interpreter that fits is in memory; it may not have \
                 started, or have ended",
                hint.source, hint.version.0, hint.version.1
            )),
            None if tried.is_empty() => PythonError::NotFound(
                "no file, symbol or memory of it; if Python runs there, name its executable with \
                 --exe"
                    .into(),
            ),
            _ => PythonError::NotFound(tried.join("; ")),
        }
    }

    /// Tables to try: those of the version that something hints at, else all.
    fn tables(&self) -> impl Iterator<Item = &'static Layout> {
        let version = self
            .hint
            .map(|hint| hint.version)
            .filter(|v| Layout::knows(*v));
        Layout::all_tables().filter(move |table| version.is_none_or(|v| table.version == v))
    }

    fn look(&self, layout: &Layout, interpreter: Addr) -> Verdict {
        validate::look(&self.target.memory, layout, interpreter, self.is_thread)
    }

    fn found(
        &self,
        runtime: Option<Addr>,
        source: &str,
        layout: Layout,
        head: Addr,
        verdict: Verdict,
    ) -> Found {
        let (major, minor) = layout.version;
        let version = match (verdict.hex, self.hint) {
            (Some(hex), _) => Version::from_hex(hex, "sys.hexversion"),
            (None, hint) => Version {
                major,
                minor,
                micro: hint.and_then(|hint| hint.micro),
                hex: None,
                free_threaded: false,
                debug: None,
                source: hint
                    .map_or("the layout that fits", |hint| hint.source)
                    .into(),
            },
        };
        let image = runtime.or(Some(head)).and_then(|addr| {
            let image = self.process.images.at(addr)?;
            Some(image.path.clone())
        });
        Found {
            runtime: Runtime {
                addr: runtime,
                image,
                source: source.to_owned(),
            },
            version: Version {
                free_threaded: layout.free_threaded,
                debug: verdict.debug,
                ..version
            },
            layout,
            head,
        }
    }
}

/// What is said of a version without a layout.
const KNOWN: &str = "pydbg has layouts of 2.7 and 3.6 to 3.15, and reads those of other versions \
                     from DWARF, which this binary does not have; native frames can still be shown";
