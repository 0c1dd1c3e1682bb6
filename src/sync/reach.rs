//! Who could end a wait for something that nobody holds: a thread that can get hold of it. What a
//! thread can get hold of is what its variables lead to, and what any module leads to.

mod walk;

use super::main_thread::MainThread;
use super::{Locks, Owner, View};
use crate::addr::Addr;
use crate::diag::thousands;
use crate::native::futex::Futex;
use crate::python::layout::State;
use crate::python::object::TypeInfo;
use crate::python::{PyFrame, PyThread};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use walk::{Cut, Walk};

/// The most objects that are looked at, in all.
const MOST_OBJECTS: usize = 300_000;

/// Gives what is waited for, and what nobody holds, to the threads that can get hold of it. `open`
/// has those of which nothing is known yet.
pub(super) fn find(
    view: &View<'_>,
    main: &MainThread<'_, '_>,
    locks: &mut Locks,
    open: &FxHashSet<usize>,
) {
    let is_made_in_python = |at: &usize| {
        let lock = locks.all.get(*at);
        lock.is_some_and(|lock| lock.kind.is_made_in_python())
    };
    let mut awaited: Vec<usize> = open.iter().copied().filter(is_made_in_python).collect();
    awaited.sort_unstable();
    if awaited.is_empty() {
        return;
    }
    let mut search = Search::new(view, locks, &awaited);
    let everybody = search.modules();
    let mut threads: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    if everybody.is_none() {
        for (thread, state) in &view.states {
            for at in search.thread(*thread, state, main) {
                threads.entry(at).or_default().push(*thread);
            }
        }
    }
    let asleep = asleep(locks, main.interruptible());
    let count = thousands(search.seen_in_all);
    for at in awaited {
        let (others, evidence) = match (&everybody, search.left.contains(&at)) {
            (None, true) => {
                let mut some = threads.remove(&at).unwrap_or_default();
                some.retain(|thread| !asleep.contains(&(at, *thread)));
                let evidence = match some.is_empty() {
                    true => format!(
                        "no other thread's variables and no module lead to it ({count} objects \
                         looked at)"
                    ),
                    false => "the variables of these threads may lead to it".to_owned(),
                };
                (some, evidence)
            }
            (why, left) => {
                let every = view.process.threads().iter().map(|thread| thread.id);
                let others = every.filter(|thread| !asleep.contains(&(at, *thread)));
                let evidence = match why.as_ref().filter(|_| left) {
                    Some(why) => why.clone(),
                    None => "a module leads to it, so any thread may act on it".to_owned(),
                };
                (others.collect(), evidence)
            }
        };
        if let Some(lock) = locks.all.get_mut(at) {
            lock.owner = Owner::AnyOf {
                threads: others,
                evidence,
            };
        }
    }
}

/// The locks and their waiters who cannot act on what they wait for. One of several who gives up
/// after some time can, and so can one that runs signal handlers.
fn asleep(locks: &Locks, interruptible: Option<usize>) -> FxHashSet<(usize, usize)> {
    let alone = |at: usize| {
        locks
            .all
            .get(at)
            .is_some_and(|lock| lock.waiters.len() == 1)
    };
    let asleep = |wait: &&super::Wait| {
        (!wait.timed || alone(wait.lock)) && interruptible != Some(wait.thread)
    };
    let waits = locks.waits.iter().filter(asleep);
    waits.map(|wait| (wait.lock, wait.thread)).collect()
}

/// Types whose instances do not lead to all that they refer to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    No,
    Leaf,
    Frame,
    Thread,
}

struct Search<'a, 'p> {
    view: &'a View<'p>,
    /// What is looked for: objects, and the parts of each by which one can act on it.
    targets: FxHashMap<Addr, usize>,
    /// What modules do not lead to.
    left: FxHashSet<usize>,
    /// Objects that lead to nothing of that.
    barren: FxHashSet<Addr>,
    /// The frames that run. What one has is its thread's: others who know of it only look.
    running: FxHashSet<Addr>,
    special: FxHashMap<Addr, Special>,
    /// How many objects may still be looked at.
    budget: usize,
    seen_in_all: usize,
}

impl<'a, 'p> Search<'a, 'p> {
    fn new(view: &'a View<'p>, locks: &Locks, awaited: &[usize]) -> Search<'a, 'p> {
        let mut targets = FxHashMap::default();
        for &at in awaited {
            let Some(lock) = locks.all.get(at) else {
                continue;
            };
            targets.insert(lock.address, at);
            // Whoever has a condition of a queue or an event may notify it.
            let parts = view.python.objects.instance_attributes(lock.address);
            for (_, part) in parts.unwrap_or_default() {
                if view.is_instance(part, super::python_lock::CONDITION) {
                    targets.entry(part).or_insert(at);
                }
            }
        }
        Search {
            view,
            targets,
            left: awaited.iter().copied().collect(),
            barren: FxHashSet::default(),
            running: view.running_frames(),
            special: FxHashMap::default(),
            budget: MOST_OBJECTS,
            seen_in_all: 0,
        }
    }

    fn special(&mut self, ty: &Arc<TypeInfo>) -> Special {
        let objects = &self.view.python.objects;
        *self.special.entry(ty.addr).or_insert_with(|| {
            if !ty.is_heap() && *objects.full_name(ty) == *"frame" {
                Special::Frame
            } else if ty.is_heap() && objects.is_a(ty, "threading.Thread") {
                Special::Thread
            } else if objects.is_leaf(ty) {
                Special::Leaf
            } else {
                Special::No
            }
        })
    }

    /// Whether a frame object is of a frame that runs.
    fn runs(&self, frame: Addr) -> bool {
        let python = self.view.python;
        let running = match &python.layout.fields.frame_object {
            Some(handle) => python.objects.memory.ptr(handle.frame.of(frame)).ok(),
            None => Some(frame),
        };
        running.is_some_and(|running| self.running.contains(&running))
    }

    /// Takes from what is left what modules lead to. Where that cannot be told of the rest, why.
    fn modules(&mut self) -> Option<String> {
        let modules = self.view.python.modules();
        if modules.is_empty() {
            return Some("the modules cannot be read, so any thread may act on it".into());
        }
        let roots = modules.into_iter().map(|(_, namespace)| namespace);
        let mut walk = Walk::new(roots.collect());
        let found = walk.run(self, &self.left.clone());
        self.left.retain(|at| !found.contains(at));
        self.barren = walk.seen;
        let why = match walk.cut? {
            Cut::Limit => format!("more than {} objects", thousands(MOST_OBJECTS)),
            Cut::Hidden(name) => format!("an object of type {name}"),
            Cut::Unreadable => "an object that cannot be read".to_owned(),
        };
        (!self.left.is_empty())
            .then(|| format!("modules lead to {why}, and maybe to it: any thread may act on it"))
    }

    /// What of the rest a thread can get hold of, or maybe can.
    fn thread(
        &mut self,
        thread: usize,
        state: &PyThread,
        main: &MainThread<'_, '_>,
    ) -> FxHashSet<usize> {
        let wanted = self.left.clone();
        if wanted.is_empty() {
            return wanted;
        }
        if !self.is_at_rest(thread, state) {
            return wanted;
        }
        let Some(callbacks) = main.callbacks_of(thread) else {
            return wanted;
        };
        let stack = self.view.python.stack(state);
        let roots = self.state_words(state);
        let (Some(mut roots), None) = (roots, &stack.problem) else {
            return wanted;
        };
        roots.extend(callbacks);
        for frame in &stack.frames {
            if !self.frame(frame, &mut roots) {
                return wanted;
            }
        }
        let mut walk = Walk::new(roots);
        let found = walk.run(self, &wanted);
        match walk.cut {
            Some(_) => wanted,
            None => {
                if found.is_empty() {
                    self.barren.extend(walk.seen);
                }
                found
            }
        }
    }

    /// Whether a thread sleeps in a system call of its own. One that runs, has been woken, or only
    /// waits for the GIL may have in its hands what no variable of it leads to: from 3.13 on an item
    /// of a `SimpleQueue` is put into the hands of a thread that still sleeps.
    fn is_at_rest(&self, thread: usize, state: &PyThread) -> bool {
        let process = self.view.process;
        let native = process.threads().get(thread.wrapping_sub(1));
        let sleeps = native.filter(|native| native.syscall.is_some());
        let is_over = |futex: Futex| futex.is_over(&*process.target.memory);
        let sleeps = sleeps.is_some_and(|native| !Futex::of(native).is_some_and(is_over));
        sleeps && self.view.python.waits_for_gil(state) != Some(true)
    }

    /// What the frame refers to; `false` where that cannot be read.
    fn frame(&self, frame: &PyFrame, roots: &mut Vec<Addr>) -> bool {
        let objects = &self.view.python.objects;
        let mut take = |addr| {
            roots.push(addr);
            ControlFlow::Continue(())
        };
        objects.frame_referents(frame.addr, &mut take).is_ok()
    }

    /// The objects that the thread state has: its thread-local variables, context, exceptions.
    fn state_words(&self, state: &PyThread) -> Option<Vec<Addr>> {
        let words = self
            .view
            .python
            .objects_in_state(State::Thread, state.tstate);
        let objects = words.ok()?.into_iter().map(|held| held.object);
        Some(objects.collect())
    }
}
