//! The blocks that belong to objects against the allocators' own books: each begins where a used
//! block begins and fits into it, and all of them together are nearly all that is used. The buffers
//! of each type are as large as the process itself says.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use pydbg::Addr;
use pydbg::heap::Heap;
use pydbg::heap::parts::{Part, PartKind, Parts, free_lists};
use pydbg::heap::pieces::Pieces;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Options};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// How much of pymalloc's used memory may be of no object, in percent: the state of C code, and up to
/// 3.9 lists of freed objects.
const MOST_OTHER: f64 = 4.0;

/// The same with numpy, whose C code has tables of its own there.
const MOST_OTHER_EXTRA: f64 = 8.0;

/// An interpreter built for debugging, whose hooks put 16 bytes of their own in front of what CPython
/// asks for.
const HOOKED: &str = "debian-3.11d";

/// Used blocks of pymalloc, with their sizes.
fn used_blocks(python: &Python) -> HashMap<u64, u64> {
    let Some(pool_size) = python.layout.kinds.pool_size.map(u64::from) else {
        return HashMap::new();
    };
    let target = &python.process.target;
    let mut used = HashMap::new();
    for mapping in target.mappings.iter().filter(|mapping| mapping.write) {
        let mut pool = mapping.start.0.next_multiple_of(pool_size);
        while pool + pool_size <= mapping.end.0 {
            if let Ok(raw) = target.memory.bytes(Addr(pool), pool_size as usize) {
                used.extend(used_in_pool(&raw, pool).into_iter().flatten());
            }
            pool += pool_size;
        }
    }
    used
}

/// The used blocks of a pool, if it is one.
fn used_in_pool(raw: &[u8], pool: u64) -> Option<Vec<(u64, u64)>> {
    const HEADER: u64 = 48;
    let u32_at = |at: usize| u64::from(u32::from_le_bytes(raw[at..at + 4].try_into().unwrap()));
    let u64_at = |at: u64| {
        let at = at as usize;
        u64::from_le_bytes(raw[at..at + 8].try_into().unwrap())
    };
    let (count, class, next, last) = (u32_at(0), u32_at(36), u32_at(40), u32_at(44));
    let size = (raw.len() as u64).checked_sub(last)?;
    let known = size == (class + 1) * 16 || size == (class + 1) * 8;
    if !known || !(8..=512).contains(&size) || !(HEADER..=raw.len() as u64).contains(&next) {
        return None;
    }
    let mut free = HashSet::new();
    let mut at = u64_at(8);
    while at != 0 {
        let into = at.checked_sub(pool).filter(|into| *into < next)?;
        if !free.insert(at) {
            return None;
        }
        at = u64_at(into);
    }
    let all = (0..(next - HEADER) / size).map(|index| (pool + HEADER + index * size, size));
    let used: Vec<(u64, u64)> = all.filter(|(at, _)| !free.contains(at)).collect();
    (used.len() as u64 == count && count > 0).then_some(used)
}

/// The allocators' books, from which is taken what belongs to objects.
struct Books<'p> {
    python: &'p Python,
    used: HashMap<u64, u64>,
    left: HashMap<u64, u64>,
    /// What is wrong, with how often and an example.
    wrong: BTreeMap<String, (usize, String)>,
}

impl Books<'_> {
    fn note(&mut self, what: String, example: String) {
        self.wrong.entry(what).or_insert((0, example)).0 += 1;
    }

    /// The used block of pymalloc that an address is in.
    fn around(&self, at: u64) -> Option<(u64, u64)> {
        let starts = (0..512 / 8).map(|back| (at & !7) - back * 8);
        let found = starts.filter_map(|start| Some((start, *self.used.get(&start)?)));
        found.into_iter().find(|(start, size)| at < start + size)
    }

    fn object(&mut self, addr: Addr, block: Addr, name: &str) {
        self.left.remove(&block.0);
        if let Some((start, size)) = self.around(addr.0)
            && start != block.0
        {
            let example = format!("{addr:?} in {start:#x} of {size}, told {block:?}");
            self.note(format!("object {name}"), example);
        }
    }

    fn part(&mut self, part: Part, name: &str) {
        self.left.remove(&part.start.0);
        let len = part.len.unwrap_or(0);
        let fits = match self.around(part.start.0) {
            Some((start, size)) => start == part.start.0 && len <= size,
            None => part.kind == PartKind::Mapping || self.is_chunk(part.start, len),
        };
        if !fits {
            let example = format!("{part:?} in {:x?}", self.around(part.start.0));
            self.note(format!("part of {name}"), example);
        }
    }

    /// Whether a chunk of malloc may begin there; without a GIL all is mimalloc's.
    fn is_chunk(&self, start: Addr, len: u64) -> bool {
        let memory = &self.python.process.target.memory;
        let chunk = memory.u64(start.sub(8)).unwrap_or(0) & !7;
        self.python.layout.free_threaded || chunk.is_multiple_of(16) && chunk >= len + 8
    }
}

fn audit(python: &Arc<Python>, id: &str, most_other: f64) -> Result<(), String> {
    let heap = Heap::of(python).map_err(|error| error.to_string())?;
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let parts = Parts::new(python, &pieces);
    let used = used_blocks(python);
    let mut books = Books {
        python,
        left: used.clone(),
        used,
        wrong: BTreeMap::new(),
    };
    for id in 0..heap.count() {
        let (addr, Some(kind)) = (heap.address(id), heap.kind(id)) else {
            continue;
        };
        let name = heap.class(id);
        books.object(addr, parts.block_of(addr, kind), &name);
        let told = parts.each(addr, kind, &mut |part| books.part(part, &name));
        if told.is_err() {
            books.note(format!("broken {name}"), format!("{addr:?}"));
        }
    }
    let mut freed = 0;
    let lists = free_lists(python, &pieces, &mut |part| {
        freed += part.len.unwrap_or(0);
        let whole = books.left.contains_key(&part.start.0) || python.layout.free_threaded;
        if !whole && books.around(part.start.0).is_some() {
            books.note("freed object".into(), format!("{part:?}"));
        }
        books.part(part, "freed objects");
    });
    let damaged = lists.kinds.iter().find(|kind| kind.problem.is_some());
    if let Some(kind) = damaged {
        books.note("free list".into(), format!("{kind:?}"));
    }
    let bytes = |blocks: &HashMap<u64, u64>| blocks.values().sum::<u64>();
    let (other, all) = (bytes(&books.left), bytes(&books.used).max(1));
    let share = other as f64 * 100.0 / all as f64;
    println!("{id}: {other} of {all} bytes are of no object, {share:.2} %; {freed} on free lists");
    match books.wrong.is_empty() && share <= most_other {
        true => Ok(()),
        false => Err(format!("{share:.2} % other, {:?}", books.wrong)),
    }
}

fn buffers(fixture: &Fixture) -> Result<(), String> {
    let shown = Pydbg::live(fixture.pid(), &[], "heap --blocks --by type")?;
    let shown = &shown["data"];
    for (name, bytes) in fixture.truth.expect["buffers"]
        .as_object()
        .expect("classes")
    {
        let row = list(&shown["rows"])
            .iter()
            .find(|row| row["name"] == **name);
        let found = row.map(|row| &row["buffers"]);
        if found != Some(bytes) {
            return Err(format!("{name}: {found:?}, truth {bytes}"));
        }
    }
    Ok(())
}

/// Makes all checks of one interpreter; `extra` is a class that has to be among those with buffers.
pub(crate) fn check(interpreter: &Interpreter, extra: Option<&str>, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "buffers", &[]);
    if let Some(extra) = extra {
        let known = fixture.truth.expect["buffers"].get(extra);
        assert!(known.is_some(), "{extra} is not in the truth");
    }
    failures.check(&interpreter.id, buffers(&fixture));
    if interpreter.id == HOOKED {
        return;
    }
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let most = extra.map_or(MOST_OTHER, |_| MOST_OTHER_EXTRA);
    let result = audit(&Arc::new(python), &interpreter.id, most);
    failures.check(&interpreter.id, result);
}

#[test]
fn blocks_are_those_of_the_allocators() {
    Failures::together(interpreters(), |interpreter, failures| {
        check(interpreter, None, failures);
    })
    .finish();
}
