//! What the other files of this layer look at: the process, and one thread that is blocked.

use super::executors::Executors;
use super::native::call::{Call, Functions};
use super::native::malloc;
use super::sections::{self, Sections};
use super::threading::{self, ConditionWait};
use super::world::{self, Stop};
use super::{Kind, Owner, import_lock, processes, python_lock};
use crate::addr::Addr;
use crate::native::futex::Futex;
use crate::native::{NativeThread, Process};
use crate::python::doing::library;
use crate::python::import_lock::ImportLock;
use crate::python::{PyFrame, PyStack, PyThread, Python};
use crate::target::sharing::Sharing;
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

/// The process as this layer looks at it.
pub(super) struct View<'p> {
    pub(super) python: &'p Python,
    pub(super) process: &'p Process,
    /// The Python thread state that each native thread (gdb number) runs, by that number.
    pub(super) states: Vec<(usize, Arc<PyThread>)>,
    by_ident: FxHashMap<u64, usize>,
    executors: OnceCell<Executors>,
    import_locks: OnceCell<Vec<ImportLock>>,
    importer: OnceCell<Option<usize>>,
    wrappers: OnceCell<FxHashMap<Addr, Addr>>,
    sharing: OnceCell<Option<Sharing>>,
    /// What is known of the owners of locks that processes share, by the inner object.
    pub(super) process_owners: RefCell<FxHashMap<Addr, Owner>>,
    sections: OnceCell<Sections>,
    stops: OnceCell<Vec<Stop>>,
    /// Owners that were searched for on all stacks, by the address of what they hold.
    pub(super) searched: RefCell<FxHashMap<Addr, Owner>>,
    /// What makes blocking functions of the C library known.
    pub(super) functions: OnceCell<Functions>,
    /// Which threads are inside of malloc.
    pub(super) in_malloc: OnceCell<malloc::Census>,
}

impl<'p> View<'p> {
    pub(super) fn new(python: &'p Python) -> View<'p> {
        let process = &*python.process;
        let threads = || process.threads().iter();
        let states = threads().filter_map(|thread| {
            let state = python.thread_of(thread.tid)?;
            Some((thread.id, Arc::clone(state)))
        });
        let states: Vec<_> = states.collect();
        let by_state = (states.iter()).filter_map(|(id, state)| Some((state.ident?, *id)));
        let by_pthread = threads().filter_map(|thread| Some((thread.pthread?.0, thread.id)));
        View {
            python,
            process,
            by_ident: by_state.chain(by_pthread).collect(),
            states,
            executors: OnceCell::new(),
            import_locks: OnceCell::new(),
            importer: OnceCell::new(),
            wrappers: OnceCell::new(),
            sharing: OnceCell::new(),
            process_owners: RefCell::default(),
            sections: OnceCell::new(),
            stops: OnceCell::new(),
            searched: RefCell::default(),
            functions: OnceCell::new(),
            in_malloc: OnceCell::new(),
        }
    }

    /// The import locks of all interpreters.
    pub(super) fn import_locks(&self) -> &[ImportLock] {
        self.import_locks.get_or_init(|| self.python.import_locks())
    }

    /// The thread (gdb number) that imports something, where only one at a time can.
    pub(super) fn importer(&self) -> Option<usize> {
        *self.importer.get_or_init(|| import_lock::importer(self))
    }

    /// The objects that programs know locks by that processes share, by the inner one.
    pub(super) fn wrappers(&self) -> &FxHashMap<Addr, Addr> {
        self.wrappers.get_or_init(|| processes::wrappers(self))
    }

    /// What the process shares with others, where that is known.
    pub(super) fn sharing(&self) -> Option<&Sharing> {
        let sharing = self.sharing.get_or_init(|| processes::sharing(self));
        sharing.as_ref()
    }

    /// What critical sections of free-threaded builds hold.
    pub(super) fn sections(&self) -> &Sections {
        self.sections.get_or_init(|| sections::read(self))
    }

    /// Who wants to stop the world, or has stopped it.
    pub(super) fn stops(&self) -> &[Stop] {
        self.stops.get_or_init(|| world::stops(self))
    }

    /// The native thread (gdb number) with this `pthread_t`, which is Python's ident as well.
    pub(super) fn by_ident(&self, ident: u64) -> Option<usize> {
        self.by_ident.get(&ident).copied()
    }

    /// The owner that a lock names by the ident of a thread, as `says` has it.
    pub(super) fn owner_named(&self, ident: u64, says: String) -> Owner {
        Owner::named(self.by_ident(ident), says)
    }

    /// The native thread (gdb number) with this id, as the process itself counts its threads.
    pub(super) fn by_own_tid(&self, tid: i32) -> Option<usize> {
        let mut threads = self.process.target.threads.iter();
        self.process
            .id_of(threads.find(|thread| thread.own_id() == tid)?.tid)
    }

    /// The Python thread state that a native thread (gdb number) runs.
    pub(super) fn state(&self, thread: usize) -> Option<&Arc<PyThread>> {
        let at = self.states.binary_search_by_key(&thread, |(id, _)| *id);
        self.states.get(at.ok()?).map(|(_, state)| state)
    }

    /// The native thread (gdb number) that runs a Python thread state.
    pub(super) fn by_state(&self, tstate: Addr) -> Option<usize> {
        let mut states = self.states.iter();
        let (id, _) = states.find(|(_, state)| state.tstate == tstate)?;
        Some(*id)
    }

    /// The frames that threads run.
    pub(super) fn running_frames(&self) -> FxHashSet<Addr> {
        let mut running = FxHashSet::default();
        for (_, state) in &self.states {
            let stack = self.python.stack(state);
            running.extend(stack.frames.iter().map(|frame| frame.addr));
        }
        running
    }

    /// The value of a frame's first argument, as a rule `self`; also where an inner function uses
    /// it, which puts it into a cell.
    pub(super) fn receiver(&self, frame: &PyFrame) -> Option<Addr> {
        let variables = self.python.variables(frame);
        let first = variables.all.first()?;
        first.value.filter(|_| first.argument)
    }

    /// The value of a frame's variable.
    pub(super) fn local(&self, frame: &PyFrame, name: &str) -> Option<Addr> {
        let variables = self.python.variables(frame);
        let mut all = variables.all.iter();
        all.find(|variable| *variable.name == *name)?.value
    }

    /// Whether a native thread (gdb number) is the one that a `threading.Thread` stands for, as
    /// its outermost Python function tells; `None` where it is not one that such threads have.
    pub(super) fn runs(&self, thread: usize, object: Addr) -> Option<bool> {
        let stack = self.python.stack(self.state(thread)?);
        let frame = stack.frames.last()?;
        let begins = ["_bootstrap", "__bootstrap"].contains(&&*frame.function);
        if !begins || library(&frame.file) != Some("threading") {
            return None;
        }
        Some(self.receiver(frame)? == object)
    }

    /// The thread pools of the process.
    pub(super) fn executors(&self) -> &Executors {
        self.executors.get_or_init(|| Executors::of(self))
    }

    /// Whether an object is an instance of one of these classes (full names) or of a subclass.
    pub(super) fn is_instance(&self, object: Addr, classes: &[&str]) -> bool {
        let objects = &self.python.objects;
        let Ok(ty) = objects.type_of(object) else {
            return false;
        };
        classes.iter().any(|class| objects.is_a(&ty, class))
            || objects
                .old_classes(object)
                .iter()
                .any(|name| classes.contains(&&**name))
    }

    /// The first of these attributes that an object has itself.
    pub(super) fn attribute(&self, object: Addr, names: &[&str]) -> Option<Addr> {
        let objects = &self.python.objects;
        names
            .iter()
            .find_map(|name| objects.attribute(object, name).ok()?)
    }

    /// The first of these attributes that an object has itself, as a number.
    pub(super) fn number(&self, object: Addr, names: &[&str]) -> Option<i128> {
        self.python.objects.int(self.attribute(object, names)?).ok()
    }
}

/// A thread that may be waiting.
pub(super) struct Waiter<'a> {
    pub(super) thread: &'a NativeThread,
    /// What it runs of Python.
    pub(super) state: Option<&'a Arc<PyThread>>,
    /// What it sleeps on.
    pub(super) futex: Option<Futex>,
    stack: OnceCell<Option<Arc<PyStack>>>,
    lock: OnceCell<Option<(python_lock::PyLock, &'static str)>>,
    condition: OnceCell<Option<ConditionWait>>,
    call: OnceCell<Option<Call>>,
}

impl<'a> Waiter<'a> {
    pub(super) fn new(view: &'a View<'_>, thread: &'a NativeThread) -> Waiter<'a> {
        Waiter {
            thread,
            state: view.state(thread.id),
            futex: Futex::of(thread),
            stack: OnceCell::new(),
            lock: OnceCell::new(),
            condition: OnceCell::new(),
            call: OnceCell::new(),
        }
    }

    /// Its Python frames, innermost first.
    pub(super) fn frames(&self, view: &View<'_>) -> &[PyFrame] {
        let stack = || self.state.map(|state| view.python.stack(state));
        let stack = self.stack.get_or_init(stack);
        stack.as_ref().map_or(&[], |stack| &stack.frames)
    }

    /// The Python lock that it sleeps on, and what says so: of a wait for an event or a queue it
    /// is the fresh lock that stands for this one wait.
    pub(super) fn lock(&self, view: &View<'_>) -> Option<(python_lock::PyLock, &'static str)> {
        *self.lock.get_or_init(|| python_lock::find(view, self))
    }

    /// The condition that it waits for, if it is asleep in `Condition.wait`.
    pub(super) fn condition(&self, view: &View<'_>) -> Option<ConditionWait> {
        *self
            .condition
            .get_or_init(|| threading::condition_wait(view, self))
    }

    /// The function of the C library or of C++ that it is blocked in, of those that are known.
    pub(super) fn call(&self, view: &View<'_>) -> Option<&Call> {
        let call = || Call::of(view, self.thread.id);
        self.call.get_or_init(call).as_ref()
    }

    /// Whether the wait ends by itself after some time.
    pub(super) fn timed(&self) -> bool {
        self.futex.as_ref().is_some_and(|futex| futex.timed)
    }
}

/// What a thread waits for.
pub(super) struct Found {
    pub(super) kind: Kind,
    /// The Python object, or the native lock where there is none.
    pub(super) address: Addr,
    /// Who holds it; `None` when only others can tell (`with` statements).
    pub(super) owner: Option<Owner>,
    /// Whether the wait ends by itself after some time.
    pub(super) timed: bool,
    /// What says so.
    pub(super) evidence: Cow<'static, str>,
}
