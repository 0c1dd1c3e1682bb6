//! All objects that the garbage collector tracks. With the GIL each interpreter has lists of them,
//! one for each generation and one for what `gc.freeze()` has put aside (Modules/gcmodule.c,
//! Python/gc.c); without, they are blocks of the allocator's heaps that are marked as tracked
//! (Python/gc_free_threading.c).

mod heads;
mod lists;

use super::pieces::Words;
use crate::addr::Addr;
use crate::diag::Cancel;
use crate::python::Python;
use crate::python::object::flags;
use lists::{List, Outcome};
use serde::Serialize;
use std::borrow::Cow;

/// What the collector tracks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tracked {
    /// Every list, or without the GIL every kind of object, of every interpreter.
    pub generations: Vec<Generation>,
}

/// Objects that the collector treats alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Generation {
    /// `generation 0` to `generation 2`, as `gc.get_objects(generation=…)` knows them, `permanent`
    /// for what `gc.freeze()` has put aside, `in collection` for what a collection has taken out
    /// of its list.
    pub name: Cow<'static, str>,
    /// The interpreter's id; up to 3.8 all interpreters share the lists of the main one.
    pub interpreter: i64,
    /// How many objects are in it.
    pub objects: u64,
    /// What is wrong with it, in words.
    pub problem: Option<String>,
}

/// Calls `found` with each object that the collector tracks, and the index of its generation.
pub fn each<W: Words + ?Sized>(
    python: &Python,
    memory: &W,
    cancel: &Cancel,
    found: &mut dyn FnMut(Addr, u8),
) -> Tracked {
    let mut tracked = Tracked::default();
    let most = most_nodes(python);
    for heads in heads::of(python, memory) {
        let interpreter = heads.interpreter;
        if heads.all.is_empty() {
            tracked.add("lists".into(), interpreter, heads.problem.clone());
        }
        for (name, head) in heads.all {
            let index = tracked.add(name, interpreter, heads.problem.clone());
            let outcome = list(python, memory, head, heads.counting, most)
                .walk(cancel, &mut |object| found(object, index));
            tracked.put(index, outcome);
        }
    }
    tracked
}

/// The list at `head`.
fn list<'a, W: Words + ?Sized>(
    python: &'a Python,
    memory: &'a W,
    head: Addr,
    counting: bool,
    most: u64,
) -> List<'a, W> {
    let plausible = move |object: Addr| {
        let ty = python.objects.type_of(object);
        let meta = ty.and_then(|ty| python.objects.type_of(ty.addr));
        meta.is_ok_and(|meta| meta.is(flags::TYPE))
    };
    List {
        memory,
        head,
        to_object: python.layout.kinds.gc_head.into(),
        counting,
        most,
        plausible: Box::new(plausible),
    }
}

/// How many nodes of lists memory has room for.
fn most_nodes(python: &Python) -> u64 {
    const SMALLEST_NODE: u64 = 16;
    let sizes = python
        .process
        .target
        .mappings
        .iter()
        .map(|mapping| mapping.len());
    sizes.fold(0, u64::saturating_add) / SMALLEST_NODE
}

impl Tracked {
    /// The index of a new generation. Those for which no index is left share the last one.
    fn add(&mut self, name: Cow<'static, str>, interpreter: i64, problem: Option<String>) -> u8 {
        let index = u8::try_from(self.generations.len()).unwrap_or(u8::MAX);
        match self.generations.get_mut(usize::from(index)) {
            None => self.generations.push(Generation {
                name,
                interpreter,
                objects: 0,
                problem,
            }),
            Some(shared) => {
                shared.name = "further generations".into();
                shared.interpreter = -1;
                shared.problem = shared.problem.take().or(problem);
            }
        }
        index
    }

    /// Adds what the walk through a list came to.
    fn put(&mut self, index: u8, outcome: Outcome) {
        if let Some(generation) = self.generations.get_mut(usize::from(index)) {
            generation.objects = generation.objects.saturating_add(outcome.objects);
            let problems = [generation.problem.take(), outcome.problem];
            let problems: Vec<String> = problems.into_iter().flatten().collect();
            generation.problem = (!problems.is_empty()).then(|| problems.join("; "));
        }
    }
}
