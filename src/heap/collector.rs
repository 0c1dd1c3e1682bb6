//! The state of the garbage collector: whether it runs by itself, when the next collection is due, what
//! it has done (Modules/gcmodule.c, Python/gc.c; `struct _gc_runtime_state`).

use super::pieces::Pieces;
use super::tracked::{self, Tracked};
use crate::addr::Addr;
use crate::native::doing::Context;
use crate::python::layout::{Field, Gc};
use crate::python::names;
use crate::python::{Interpreter, Python};
use serde::Serialize;

/// The flags of `gc.set_debug`, by bit; two of them only in 2.7.
const FLAGS: [(u32, &str); 6] = [
    (1, "DEBUG_STATS"),
    (2, "DEBUG_COLLECTABLE"),
    (4, "DEBUG_UNCOLLECTABLE"),
    (8, "DEBUG_INSTANCES"),
    (16, "DEBUG_OBJECTS"),
    (32, "DEBUG_SAVEALL"),
];

/// The flag with which all that is found goes to `gc.garbage`.
pub const SAVE_ALL: &str = "DEBUG_SAVEALL";

/// Generations whose objects are collected.
const GENERATIONS: u64 = 3;

/// What one generation has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Statistics {
    /// How often it was collected.
    pub collections: i64,
    /// How many objects were freed by that.
    pub collected: i64,
    /// How many were garbage and could not be freed.
    pub uncollectable: i64,
}

/// One generation of objects.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GenerationState {
    /// What its list is called; without the GIL all objects are in one.
    pub name: String,
    /// `gc.get_threshold()`: a collection is due when the count exceeds it.
    pub threshold: Option<i32>,
    /// `gc.get_count()`: of objects in the youngest one, of collections in the others.
    pub count: Option<i32>,
    /// How many objects are in it now.
    pub objects: Option<u64>,
    /// What it has seen, where that is kept in memory.
    pub statistics: Option<Statistics>,
    /// What is wrong with its list, in words.
    pub problem: Option<String>,
}

/// The collector of one interpreter; up to 3.8 all interpreters have one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CollectorState {
    /// The interpreter's id.
    pub interpreter: i64,
    /// Where its state is; `None` where it is static.
    pub address: Option<Addr>,
    /// Whether collections begin by themselves; `None` where that is not known.
    pub enabled: Option<bool>,
    /// The flags of `gc.set_debug`; `None` where they are not known.
    pub debug: Option<Vec<&'static str>>,
    /// Whether a collection is in progress.
    pub collecting: Option<bool>,
    /// The thread that collects, by its number.
    pub thread: Option<usize>,
    /// The generations, youngest first, and what is frozen.
    pub generations: Vec<GenerationState>,
    /// How many objects `gc.garbage` holds.
    pub garbage: Option<u64>,
    /// How many functions `gc.callbacks` has.
    pub callbacks: Option<u64>,
    /// Objects that were left after the last full collection.
    pub long_lived_total: Option<i64>,
    /// Objects that have joined the oldest generation since then.
    pub long_lived_pending: Option<i64>,
}

/// Where the variables of a collector are.
struct Places<'a> {
    python: &'a Python,
    /// The state and its fields; nothing where each variable is static.
    state: Option<(Addr, Gc)>,
}

impl CollectorState {
    /// The collectors of all interpreters.
    pub fn all(python: &Python) -> Vec<CollectorState> {
        let target = &python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let cancel = &python.process.cancel;
        let tracked = tracked::each(python, &pieces, cancel, &mut |_, _| {});
        let own = python.layout.fields.interpreter.gc.is_some();
        let interpreters = python.interpreters.iter();
        let interpreters = interpreters.filter(|interpreter| own || interpreter.id == 0);
        let heads = tracked::youngest(python, &pieces);
        interpreters
            .map(|interpreter| {
                let first = heads.iter().find(|(id, _)| *id == interpreter.id);
                CollectorState::of(python, interpreter, &tracked, first.map(|(_, head)| *head))
            })
            .collect()
    }

    fn of(
        python: &Python,
        interpreter: &Interpreter,
        tracked: &Tracked,
        first: Option<Addr>,
    ) -> CollectorState {
        let places = Places::of(python, interpreter);
        let collecting = interpreter.collecting.or_else(|| {
            let word = places.static_int("collecting")?;
            Some(word != 0)
        });
        let enabled = places.int(|gc| gc.enabled, "enabled");
        let debug = places.int(|gc| gc.debug, "debug");
        let flags = |bits: i32| {
            let set = FLAGS.iter().filter(|(bit, _)| bits as u32 & bit != 0);
            set.map(|(_, name)| *name).collect()
        };
        CollectorState {
            interpreter: interpreter.id,
            address: places.state.map(|(address, _)| address),
            enabled: enabled.map(|enabled| enabled != 0),
            debug: debug.map(flags),
            collecting,
            thread: collecting
                .unwrap_or(false)
                .then(|| collecting_thread(python, interpreter))
                .flatten(),
            generations: places.generations(interpreter, tracked, first),
            garbage: places.length(|gc| gc.garbage, "garbage", interpreter),
            callbacks: places.length(|gc| gc.callbacks, "callbacks", interpreter),
            long_lived_total: places.size(|gc| gc.long_lived_total, "long_lived_total"),
            long_lived_pending: places.size(|gc| gc.long_lived_pending, "long_lived_pending"),
        }
    }
}

/// The number of the thread that collects garbage.
fn collecting_thread(python: &Python, interpreter: &Interpreter) -> Option<usize> {
    let ids = interpreter.threads.iter().filter_map(|state| {
        let id = python.process.id_of(state.tid?)?;
        let doing = python.doing(Some(id), Some(state));
        doing
            .within
            .contains(&Context::CollectingGarbage)
            .then_some(id)
    });
    ids.into_iter().next()
}

impl<'a> Places<'a> {
    fn of(python: &'a Python, interpreter: &Interpreter) -> Places<'a> {
        let fields = &python.layout.fields;
        let own = fields.interpreter.gc.map(|gc| gc.of(interpreter.addr));
        let shared = || Some(fields.runtime?.gc?.of(python.runtime.addr?));
        Places {
            python,
            state: own.or_else(shared).zip(fields.gc),
        }
    }

    /// The static variable of the version that has no struct for it.
    fn static_int(&self, name: &str) -> Option<i32> {
        self.python.objects.memory.i32(self.static_at(name)?).ok()
    }

    /// Where a static variable is: in the file that has the lists.
    fn static_at(&self, name: &str) -> Option<Addr> {
        if self.state.is_some() {
            return None;
        }
        let images = &self.python.process.images;
        let (image, ..) = images.exported("_PyGC_generation0")?;
        image.named(name).map(|(at, _)| at)
    }

    fn at(&self, field: impl Fn(&Gc) -> Field, name: &str) -> Option<Addr> {
        match &self.state {
            Some((state, gc)) => Some(field(gc).of(*state)),
            None => self.static_at(name),
        }
    }

    fn int(&self, field: impl Fn(&Gc) -> Field, name: &str) -> Option<i32> {
        self.python.objects.memory.i32(self.at(field, name)?).ok()
    }

    fn size(&self, field: impl Fn(&Gc) -> Field, name: &str) -> Option<i64> {
        self.python.objects.memory.i64(self.at(field, name)?).ok()
    }

    /// The length of a list of the collector's; of the module where the variable is not found.
    fn length(
        &self,
        field: impl Fn(&Gc) -> Field,
        name: &str,
        interpreter: &Interpreter,
    ) -> Option<u64> {
        let objects = &self.python.objects;
        let stated = self.state.map(|(state, gc)| field(&gc).of(state));
        let list = match stated {
            Some(at) => objects.memory.ptr(at).ok()?,
            None => {
                let module = names::module(objects, interpreter.addr, "gc").ok()??;
                objects.dict_get(module, name).ok()??
            }
        };
        // It is made with the module.
        if list.is_null() {
            return Some(0);
        }
        objects.len(list).ok()
    }

    /// The generations with what is known of them.
    fn generations(
        &self,
        interpreter: &Interpreter,
        tracked: &Tracked,
        first: Option<Addr>,
    ) -> Vec<GenerationState> {
        let memory = &self.python.objects.memory;
        let layout = &self.python.layout;
        let own = |list: &&tracked::Generation| list.interpreter == interpreter.id;
        let mut lists = tracked.generations.iter().filter(own).peekable();
        let stride = u64::from(layout.fields.generation.size.offset);
        let fields = &layout.fields.generation;
        let int = |index: u64, field: Field| {
            let generation = first?.add(index * stride);
            memory.i32(field.of(generation)).ok()
        };
        let mut all: Vec<GenerationState> = (0..GENERATIONS)
            .map(|index| {
                let list = lists.next_if(|_| !layout.free_threaded);
                let name = format!("generation {index}");
                GenerationState {
                    name: list.map_or(name, |list| list.name.to_string()),
                    threshold: int(index, fields.threshold),
                    count: int(index, fields.count),
                    objects: list.map(|list| list.objects),
                    statistics: self.statistics(index),
                    problem: list.and_then(|list| list.problem.clone()),
                }
            })
            .collect();
        all.extend(lists.map(|list| GenerationState {
            name: list.name.to_string(),
            threshold: None,
            count: None,
            objects: Some(list.objects),
            statistics: None,
            problem: list.problem.clone(),
        }));
        all
    }

    /// What a generation has seen: three words for each, or from 3.15 on rings of more of them: {
    /// struct { time; time; three words; …}[11]; i8 } and two of { …[3]; i8 }.
    fn statistics(&self, index: u64) -> Option<Statistics> {
        const ROW: u64 = 24;
        const LONG_ROW: u64 = 64;
        const SKIPPED: u64 = 16;
        const RINGS: [(u64, u64); 3] = [(0, 11), (712, 3), (912, 3)];
        let (state, gc) = self.state?;
        let memory = &self.python.objects.memory;
        let at = gc.statistics.of(state);
        let row = match self.python.layout.kinds.statistics_apart {
            false => at.add(index * ROW),
            true => {
                let (start, count) = RINGS.get(usize::try_from(index).ok()?)?;
                let ring = memory.ptr(at).ok()?.add(*start);
                let last = u64::from(memory.u8(ring.add(count * LONG_ROW)).ok()?);
                (last < *count).then(|| ring.add(last * LONG_ROW + SKIPPED))?
            }
        };
        let word = |number: u64| memory.i64(row.add(number * 8)).ok();
        Some(Statistics {
            collections: word(0)?,
            collected: word(1)?,
            uncollectable: word(2)?,
        })
    }
}
