//! All objects that the garbage collector tracks. With the GIL each interpreter has lists of them,
//! one for each generation and one for what `gc.freeze()` has put aside (Modules/gcmodule.c,
//! Python/gc.c); without, they are blocks of the allocator's heaps that are marked as tracked
//! (Python/gc_free_threading.c).

mod blocks;
mod heads;
mod lists;
mod mimalloc;
mod temporary;

use super::pieces::Words;
use crate::addr::Addr;
use crate::diag::Cancel;
use crate::python::Python;
use crate::python::object::flags;
pub(in crate::heap) use heads::PERMANENT;
use lists::List;
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
    /// `generation 0` to `generation 2`, as `gc.get_objects(generation=…)` knows them (where the
    /// collector works in increments, 3.14.0 to 3.14.4, `young` and two spaces called `old`;
    /// without the GIL just `tracked`); `permanent` for what `gc.freeze()` has put aside;
    /// `in collection` for what a collection in progress has taken out of these.
    pub name: Cow<'static, str>,
    /// The interpreter's id; up to 3.8 all interpreters share the lists of the main one.
    pub interpreter: i64,
    /// How many objects are in it.
    pub objects: u64,
    /// What is wrong with it, in words.
    pub problem: Option<String>,
}

/// Size of what lies in front of an object where that is two links, one of which holds a count
/// during a collection; before 3.8 the count had a word of its own.
const TWO_LINKS: u32 = 16;

/// Calls `found` with each object that the collector tracks, and the index of its generation.
pub fn each<W: Words + ?Sized>(
    python: &Python,
    memory: &W,
    cancel: &Cancel,
    found: &mut dyn FnMut(Addr, u8),
) -> Tracked {
    let mut tracked = Tracked::default();
    if python.layout.free_threaded {
        mimalloc::each(python, memory, cancel, &mut tracked, found);
        return tracked;
    }
    let most = most_nodes(python);
    let lasting = heads::of(python, memory);
    for heads in lasting.into_iter().chain(temporary::of(python, memory)) {
        let interpreter = heads.interpreter;
        if heads.all.is_empty() {
            tracked.add("lists".into(), interpreter, heads.problem.clone());
        }
        for (name, head) in heads.all {
            let index = tracked.add(name, interpreter, heads.problem.clone());
            let outcome = list(python, memory, head, heads.counting, most)
                .walk(cancel, &mut |object| found(object, index));
            tracked.put(index, outcome.objects, outcome.problem);
        }
    }
    tracked
}

/// Where the youngest generation of each interpreter is, by the interpreter's id. Those that share one
/// are told of by the main interpreter.
pub(in crate::heap) fn youngest<W: Words + ?Sized>(
    python: &Python,
    memory: &W,
) -> Vec<(i64, Addr)> {
    let fields = &python.layout.fields;
    if let (true, Some(own), Some(gc)) = (
        python.layout.free_threaded,
        fields.interpreter.gc,
        fields.gc,
    ) {
        let all = python.interpreters.iter();
        let first = |addr| gc.generations.of(own.of(addr));
        return all.map(|one| (one.id, first(one.addr))).collect();
    }
    let heads = heads::of(python, memory);
    let first = |heads: &heads::Heads| Some((heads.interpreter, heads.all.first()?.1));
    heads.iter().filter_map(first).collect()
}

/// The list at `head`.
fn list<'a, W: Words + ?Sized>(
    python: &'a Python,
    memory: &'a W,
    head: Addr,
    counting: bool,
    most: u64,
) -> List<'a, W> {
    let links_only = python.layout.kinds.gc_head == TWO_LINKS;
    List {
        memory,
        head,
        to_object: python.layout.kinds.gc_head.into(),
        counting: counting && links_only,
        most,
        plausible: Box::new(move |object| is_object(python, object)),
    }
}

/// Whether an object that the collector may track is at an address: its type says so, and that its
/// own type is one, up to `type`, which is its own.
fn is_object(python: &Python, at: Addr) -> bool {
    const MOST_METACLASSES: usize = 8;
    const WANTED: u64 = flags::READY | flags::HAVE_GC;
    let Ok(ty) = python.objects.type_of(at) else {
        return false;
    };
    let mut above = python.objects.type_of(ty.addr);
    for _ in 0..MOST_METACLASSES {
        match above {
            Ok(meta) if meta.is(flags::TYPE) && meta.flags & WANTED == WANTED => {
                above = python.objects.type_of(meta.addr);
                if above.as_ref().is_ok_and(|above| above.addr == meta.addr) {
                    return ty.flags & WANTED == WANTED && ty.basicsize > 0;
                }
            }
            _ => return false,
        }
    }
    false
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

    /// Adds what looking for the objects of a generation came to.
    fn put(&mut self, index: u8, objects: u64, problem: Option<String>) {
        if let Some(generation) = self.generations.get_mut(usize::from(index)) {
            generation.objects = generation.objects.saturating_add(objects);
            let problems = [generation.problem.take(), problem];
            let problems: Vec<String> = problems.into_iter().flatten().collect();
            generation.problem = (!problems.is_empty()).then(|| problems.join("; "));
        }
    }
}
