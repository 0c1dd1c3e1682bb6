//! Where CPython's runtime state is, and which layout it has. Looked for in this order, and each
//! place validated before it is believed:
//!
//! 1. the exported symbol `_PyRuntime` (3.7+), in the executable or in libpython;
//! 2. the section `.PyRuntime` (3.10+) of the file;
//! 3. the cookie of `_Py_DebugOffsets` (3.13+) in writable memory;
//! 4. `interp_head` and `_PyThreadState_Current` (2.7, 3.6);
//! 5. interpreters themselves, by the pointers that come back to them.
//!
//! Steps 3 and 5 need no files: what they look at is in every core.

use super::PythonError;
use super::layout::{DebugOffsets, Layout};
use super::scan::{self, Regions};
use super::validate::{self, Verdict};
use super::version::{self, Hint, Version};
use crate::addr::Addr;
use crate::bytes;
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

/// Finds the runtime of `process`.
pub(super) fn find(process: &Process, notes: &Notes) -> Result<Found, PythonError> {
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
    search.run()
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

/// What the search works on.
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
        for (addr, source) in self.stated_places().chain(self.cookie_places()) {
            match self.at_runtime(addr, &source) {
                Ok(found) => return Ok(found),
                Err(PythonError::NotFound(why)) => tried.push(format!("{source} at {addr}: {why}")),
                Err(unsupported) => return Err(unsupported),
            }
        }
        if let Some(found) = self.by_statics().or_else(|| self.by_pointers()) {
            return Ok(found);
        }
        match self.hint {
            Some(hint) if !Layout::knows(hint.version) => Err(PythonError::Unsupported {
                version: format!(
                    "{}.{} (as {} says)",
                    hint.version.0, hint.version.1, hint.source
                ),
                why: KNOWN.into(),
            }),
            Some(hint) if tried.is_empty() => Err(PythonError::NotFound(format!(
                "{} says {}.{}, but no interpreter that fits is in memory; it may not have \
                 started, or have ended",
                hint.source, hint.version.0, hint.version.1
            ))),
            None if tried.is_empty() => Err(PythonError::NotFound(
                "no file, symbol or memory of it; if Python runs there, name its executable with \
                 --exe"
                    .into(),
            )),
            _ => Err(PythonError::NotFound(tried.join("; "))),
        }
    }

    /// Where files say that `_PyRuntime` is.
    fn stated_places(&self) -> impl Iterator<Item = (Addr, String)> {
        let symbol = symbol(self.process, "_PyRuntime");
        let symbol = symbol.map(|(addr, image)| (addr, format!("symbol _PyRuntime of {image}")));
        let images = self
            .process
            .images
            .all
            .iter()
            .filter(|i| scan::is_python(&i.path));
        let sections = images.filter_map(|image| {
            let section = image.section(".PyRuntime")?;
            let addr = image.addr(crate::Svma(section.svma));
            Some((addr, format!("section .PyRuntime of {}", image.path)))
        });
        symbol.into_iter().chain(sections)
    }

    /// Where the cookie of `_Py_DebugOffsets` is in memory.
    fn cookie_places(&self) -> impl Iterator<Item = (Addr, String)> {
        let regions = self.regions.all().into_iter();
        regions.flat_map(|(name, regions)| {
            let found = scan::cookies(&*self.target.memory, regions);
            found
                .into_iter()
                .map(move |addr| (addr, format!("the cookie in {name}")))
        })
    }

    /// Tries `_PyRuntime` at `addr`.
    fn at_runtime(&self, addr: Addr, source: &str) -> Result<Found, PythonError> {
        let offsets = DebugOffsets::read(&*self.target.memory, addr);
        let not_found = |fault: crate::target::Fault| PythonError::NotFound(fault.to_string());
        if let Some(offsets) = offsets.map_err(not_found)? {
            return self.with_offsets(addr, source, &offsets);
        }
        for layout in self.tables() {
            let Some(fields) = &layout.fields.runtime else {
                continue;
            };
            // The list's head may be damaged where the main interpreter is not.
            for field in [fields.interpreters_head, fields.interpreters_main] {
                let Ok(head) = self.target.memory.ptr(field.of(addr)) else {
                    continue;
                };
                let verdict = self.look(layout, head);
                let hinted = self.hint.is_some_and(|hint| hint.version == layout.version);
                if verdict.fits(layout) || hinted && verdict.may_fit(layout) {
                    return Ok(self.found(Some(addr), source, layout.clone(), head, verdict));
                }
            }
        }
        Err(PythonError::NotFound(
            "no known layout fits what is there".into(),
        ))
    }

    /// Takes the layout that the process states itself.
    fn with_offsets(
        &self,
        addr: Addr,
        source: &str,
        offsets: &DebugOffsets,
    ) -> Result<Found, PythonError> {
        let version = Version::from_hex(offsets.version, "_Py_DebugOffsets");
        let tables = Layout::tables(version.pair(), offsets.free_threaded);
        let stated = offsets.fingerprint();
        let measured = tables
            .clone()
            .find(|table| Some(table.fingerprint) == stated);
        let Some(table) = measured.or_else(|| tables.clone().next()) else {
            return Err(PythonError::Unsupported {
                version: version.to_string(),
                why: KNOWN.into(),
            });
        };
        let mut layout = table.clone();
        let differing = offsets.apply(&mut layout);
        if measured.is_some() && !differing.is_empty() {
            self.notes.info(format!(
                "_Py_DebugOffsets differs from what was measured on {}: {}",
                layout.measured,
                differing.join(", ")
            ));
        }
        let field = layout
            .fields
            .runtime
            .map(|runtime| runtime.interpreters_head);
        let head = field.map(|field| self.target.memory.ptr(field.of(addr)));
        let Some(Ok(head)) = head else {
            return Err(PythonError::NotFound(
                "its list of interpreters cannot be read".into(),
            ));
        };
        let verdict = self.look(&layout, head);
        if !verdict.threads && !verdict.namespaces {
            let why = format!("nothing at {head} looks like an interpreter");
            return Err(PythonError::NotFound(why));
        }
        let mut found = self.found(Some(addr), source, layout, head, verdict);
        found.version = Version {
            free_threaded: offsets.free_threaded,
            debug: verdict.debug,
            ..version
        };
        Ok(found)
    }

    /// 2.7 and 3.6: by the static head of the list, the function that returns it, or the thread
    /// state that runs.
    fn by_statics(&self) -> Option<Found> {
        let memory = &*self.target.memory;
        for layout in self.tables().filter(|table| table.fields.runtime.is_none()) {
            let head = || {
                let (addr, image) = symbol(self.process, "interp_head")?;
                Some((
                    memory.ptr(addr).ok()?,
                    format!("symbol interp_head of {image}"),
                ))
            };
            let function = || {
                let (addr, image) = symbol(self.process, "PyInterpreterState_Head")?;
                let word = loaded_word(&memory.array(addr).ok()?, addr)?;
                let source = format!("what PyInterpreterState_Head of {image} returns");
                Some((memory.ptr(word).ok()?, source))
            };
            let current = || {
                let (addr, image) = symbol(self.process, "_PyThreadState_Current")?;
                let thread = memory.ptr(addr).ok()?;
                let interpreter = memory.ptr(layout.fields.thread.interp.of(thread)).ok()?;
                Some((
                    interpreter,
                    format!("symbol _PyThreadState_Current of {image}"),
                ))
            };
            let places: [&dyn Fn() -> Option<(Addr, String)>; 3] = [&head, &function, &current];
            for (head, source) in places.iter().filter_map(|place| place()) {
                let verdict = self.look(layout, head);
                if verdict.fits(layout) {
                    return Some(self.found(None, &source, layout.clone(), head, verdict));
                }
            }
        }
        None
    }

    /// Without any symbol: by pointers that come back.
    fn by_pointers(&self) -> Option<Found> {
        for (name, regions) in self.regions.all() {
            for layout in self.tables() {
                let found = scan::interpreters(self.target, layout, regions, self.is_thread);
                let mut fitting = found.into_iter().filter_map(|interpreter| {
                    let verdict = self.look(layout, interpreter);
                    verdict.fits(layout).then_some((interpreter, verdict))
                });
                let Some(first) = fitting.next() else {
                    continue;
                };
                let all: Vec<_> = std::iter::once(first).chain(fitting).collect();
                let (head, verdict) = self.head_of(layout, &all)?;
                let runtime = self.runtime_of(layout, head, regions);
                let source = format!("pointers that come back, in {name}");
                return Some(self.found(runtime, &source, layout.clone(), head, verdict));
            }
        }
        None
    }

    /// The interpreter that no other one's `next` is: the head of the list.
    fn head_of(&self, layout: &Layout, all: &[(Addr, Verdict)]) -> Option<(Addr, Verdict)> {
        let next = |(addr, _): &(Addr, Verdict)| {
            self.target
                .memory
                .ptr(layout.fields.interpreter.next.of(*addr))
                .ok()
        };
        let nexts: Vec<Addr> = all.iter().filter_map(next).collect();
        let head = all.iter().find(|(addr, _)| !nexts.contains(addr));
        head.or_else(|| all.first()).copied()
    }

    /// Where `_PyRuntime` must be for `head` to be the head of its list.
    fn runtime_of(&self, layout: &Layout, head: Addr, regions: &[(Addr, Addr)]) -> Option<Addr> {
        let memory = &*self.target.memory;
        let fields = layout.fields.runtime?;
        let holders = scan::holders(memory, regions, head);
        holders.into_iter().find_map(|holder| {
            let runtime = holder.sub(fields.interpreters_head.offset.into());
            let main = memory.ptr(fields.interpreters_main.of(runtime)).ok()?;
            let auto = memory.ptr(fields.auto_interpreter.of(runtime)).ok()?;
            (main == auto && !main.is_null()).then_some(runtime)
        })
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
const KNOWN: &str = "pydbg has layouts of 2.7 and 3.6 to 3.15; native frames can still be shown";

/// The word that a function loads and returns: `mov rax, [rip + disp32]` after an optional
/// `endbr64`. Both 2.7 and 3.6 compile `PyInterpreterState_Head` to that.
fn loaded_word(code: &[u8; 16], addr: Addr) -> Option<Addr> {
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    let skip = if code.starts_with(&ENDBR64) { 4 } else { 0 };
    let instruction = code.get(skip..)?;
    let displacement = bytes::i32_at(instruction, 3)?;
    instruction.starts_with(&[0x48, 0x8b, 0x05]).then(|| {
        addr.add(skip as u64 + 7)
            .add(i64::from(displacement) as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_a_getter_loads_is_found() {
        let mut code = [0x90; 16];
        code[..7].copy_from_slice(&[0x48, 0x8b, 0x05, 0x10, 0, 0, 0]);
        assert_eq!(loaded_word(&code, Addr(0x1000)), Some(Addr(0x1017)));
        let mut code = [0x90; 16];
        code[..11].copy_from_slice(&[
            0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x05, 0xf0, 255, 255, 255,
        ]);
        assert_eq!(loaded_word(&code, Addr(0x1000)), Some(Addr(0xffb)));
        assert_eq!(loaded_word(&[0x90; 16], Addr(0x1000)), None);
    }
}
