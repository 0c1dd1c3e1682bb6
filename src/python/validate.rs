//! Whether a layout fits the process: pointers that must come back, namespaces that must be
//! dictionaries, and the version that the interpreter itself states.

use super::layout::Layout;
use super::object::Objects;
use crate::addr::Addr;
use crate::target::Memory;
use std::sync::Arc;

/// What an interpreter looks like under some layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Verdict {
    /// A thread state of its list points back to it and has the id of a thread.
    pub(super) threads: bool,
    /// At least two of its `sys.modules`, `sys` and `builtins` namespaces are dictionaries.
    pub(super) namespaces: bool,
    /// `sys.hexversion`, unless `sys.version` says that it is damaged.
    pub(super) hex: Option<u32>,
    /// Whether `sys` has what only a debug build has.
    pub(super) debug: Option<bool>,
}

/// How many thread states are tried; the newest may belong to a thread that has ended.
const MOST_TRIED: usize = 16;

/// The longest `sys.version` that is read, in characters.
const LONGEST_VERSION: u64 = 1000;

/// Major and minor version of a `sys.hexversion`.
fn pair(hex: u32) -> (u8, u8) {
    ((hex >> 24) as u8, (hex >> 16) as u8)
}

impl Verdict {
    /// Whether the interpreter's own version is that of the layout; without one, whether all
    /// else fits.
    pub(super) fn fits(&self, layout: &Layout) -> bool {
        match self.hex {
            Some(hex) => pair(hex) == layout.version && (self.threads || self.namespaces),
            None => self.threads && self.namespaces,
        }
    }

    /// Whether the version that the interpreter itself states is the layout's, and all else fits.
    pub(super) fn confirms(&self, layout: &Layout) -> bool {
        self.hex.is_some() && self.fits(layout)
    }

    /// The same for an interpreter that a symbol leads to and whose version something else
    /// states: its namespaces may be damaged.
    pub(super) fn may_fit(&self, layout: &Layout) -> bool {
        self.fits(layout) || (self.hex.is_none() && self.threads)
    }
}

/// Looks at the interpreter at `interpreter`.
pub(super) fn look(
    memory: &Arc<dyn Memory>,
    layout: &Layout,
    interpreter: Addr,
    is_thread: &dyn Fn(u64) -> bool,
) -> Verdict {
    let objects = Objects::new(Arc::clone(memory), Arc::new(layout.clone()));
    let f = &layout.fields.interpreter;
    let namespace = |field: super::layout::Field| {
        let dict = memory.ptr(field.of(interpreter)).ok()?;
        objects
            .type_of(dict)
            .is_ok_and(|ty| ty.is_dict())
            .then_some(dict)
    };
    let sys = namespace(f.sysdict);
    let items = sys.and_then(|sys| objects.dict_items(sys).ok());
    let value = |name: &str| {
        let mut items = items.as_ref()?.iter();
        items
            .find(|(key, _)| objects.is_text(*key, name))
            .map(|(_, value)| *value)
    };
    let hex = value("hexversion").and_then(|hex| objects.int(hex).ok());
    let hex = hex.and_then(|hex| u32::try_from(hex).ok());
    // One wrong byte of that number must not cost everything: `sys.version` says it again.
    let says_it_again = || {
        let text = value("version").and_then(|text| objects.text(text, LONGEST_VERSION).ok());
        let (major, minor) = layout.version;
        text.is_some_and(|text| text.value.starts_with(&format!("{major}.{minor}.")))
    };
    let hex = hex.filter(|hex| pair(*hex) == layout.version || !says_it_again());
    Verdict {
        threads: has_thread(&**memory, layout, interpreter, is_thread),
        namespaces: [sys, namespace(f.modules), namespace(f.builtins)]
            .iter()
            .flatten()
            .count()
            > 1,
        hex,
        debug: items.is_some().then(|| value("gettotalrefcount").is_some()),
    }
}

/// Whether the interpreter's list of thread states has one that makes sense.
fn has_thread(
    memory: &dyn Memory,
    layout: &Layout,
    interpreter: Addr,
    is_thread: &dyn Fn(u64) -> bool,
) -> bool {
    let f = &layout.fields.thread;
    let mut next = memory.ptr(layout.fields.interpreter.threads.of(interpreter));
    for _ in 0..MOST_TRIED {
        let Ok(thread) = next else { return false };
        if thread.is_null() || memory.ptr(f.interp.of(thread)) != Ok(interpreter) {
            return false;
        }
        if memory.u64(f.thread_id.of(thread)).is_ok_and(is_thread) {
            return true;
        }
        next = memory.ptr(f.next.of(thread));
    }
    false
}

/// A test for thread ids: the thread pointer of some thread, or an address at which glibc's
/// `struct pthread` refers to itself: by its first word (`tcb`) and its third (`self`), on x86-64.
/// The third alone is not enough: an empty bin of malloc looks the same.
pub(super) fn thread_test(
    memory: &dyn Memory,
    pointers: impl Iterator<Item = u64>,
) -> impl Fn(u64) -> bool {
    let pointers: rustc_hash::FxHashSet<u64> = pointers.filter(|p| *p != 0).collect();
    move |id| {
        const SELF: u64 = 16;
        pointers.contains(&id)
            || (id % 16 == 0
                && memory.u64(Addr(id)) == Ok(id)
                && memory.u64(Addr(id).add(SELF)) == Ok(id))
    }
}
