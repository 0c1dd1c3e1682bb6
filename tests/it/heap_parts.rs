//! The blocks that belong to objects against the allocators' own books: each begins where a used
//! block begins and fits into it, and all of them together are nearly all that is used.

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::Addr;
use pydbg::heap::Heap;
use pydbg::heap::parts::{Part, PartKind, Parts, free_lists};
use pydbg::heap::pieces::Pieces;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Options};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

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

fn used_in_pool(raw: &[u8], pool: u64) -> Option<Vec<(u64, u64)>> {
    const HEADER: u64 = 48;
    let u32_at = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap()) as u64;
    let u64_at = |at: u64| {
        let at = at as usize;
        u64::from_le_bytes(raw[at..at + 8].try_into().unwrap())
    };
    let (count, class, next, last) = (u32_at(0), u32_at(36), u32_at(40), u32_at(44));
    let size = (raw.len() as u64).checked_sub(last)?;
    let known = size == (class + 1) * 16 || size == (class + 1) * 8;
    if !known || !(8..=512).contains(&size) || next < HEADER || next > raw.len() as u64 {
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

fn audit(interpreter: &Interpreter, fixture: &str) -> Result<(), String> {
    use std::fmt::Write;
    let mut out = String::new();
    let fixture = Fixture::start(interpreter, fixture, &[]);
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let python = Arc::new(python);
    let heap = Heap::of(&python).map_err(|error| error.to_string())?;
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let parts = Parts::new(&python, &pieces);
    let mut left = used_blocks(&python);
    let all: u64 = left.values().sum();
    let known = left.clone();
    let mut wrong: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut note = |what: String, example: String| {
        wrong.entry(what).or_insert((0, example)).0 += 1;
    };
    let inside = |at: u64| {
        (0..512 / 8)
            .map(|back| (at & !7) - back * 8)
            .find_map(|start| {
                let size = known.get(&start)?;
                (at < start + size).then_some((start, *size))
            })
    };
    for id in 0..heap.count() {
        let (addr, Some(kind)) = (heap.address(id), heap.kind(id)) else {
            continue;
        };
        let block = parts.block_of(addr, kind);
        left.remove(&block.0);
        let name = heap.class(id);
        if let Some((start, size)) = inside(addr.0)
            && start != block.0
        {
            note(
                format!("object {name}"),
                format!("{addr:?} in {start:#x} of {size}, claimed {block:?}"),
            );
        }
        let mut told = 0;
        let result = parts.each(addr, kind, &mut |part: Part| {
            told += part.len.unwrap_or(0);
            left.remove(&part.start.0);
            match inside(part.start.0) {
                Some((start, size))
                    if start != part.start.0 || part.len.is_some_and(|len| len > size) =>
                {
                    note(
                        format!("part of {name}"),
                        format!("{part:?} of {addr:?} in {start:#x} of {size}"),
                    );
                }
                Some(_) => {}
                None if part.kind == PartKind::Mapping => {}
                None => {
                    // A chunk of malloc.
                    let head = target.memory.u64(part.start.sub(8)).unwrap_or(0) & !7;
                    let len = part.len.unwrap_or(0);
                    if head < len + 8 || head > len + (64 << 10) + len / 2 && part.len.is_some() {
                        note(
                            format!("chunk of {name}"),
                            format!("{part:?} of {addr:?}, head {head:#x}"),
                        );
                    }
                }
            }
        });
        if result.is_err() {
            note(format!("broken {name}"), format!("{addr:?}"));
        }
    }
    let mut freed = 0;
    let lists = free_lists(&python, &pieces, &mut |part| {
        freed += 1;
        match known.get(&part.start.0) {
            Some(size) if part.len.is_none_or(|len| len <= *size) => {}
            found => note("freed".into(), format!("{part:?}, {found:?}")),
        }
        if left.remove(&part.start.0).is_none() {
            note("freed twice".into(), format!("{part:?}"));
        }
    });
    writeln!(out, "{freed} freed {lists:?}").unwrap();
    let other: u64 = left.values().sum();
    writeln!(
        out,
        "{}: {} of {} bytes other, {:.2} %",
        interpreter.id,
        other,
        all,
        other as f64 * 100.0 / all.max(1) as f64
    )
    .unwrap();
    let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
    for size in left.values() {
        *sizes.entry(*size).or_default() += 1;
    }
    writeln!(out, "  {sizes:?}").unwrap();
    let mut shown: BTreeMap<u64, usize> = BTreeMap::new();
    let mut rest: Vec<(&u64, &u64)> = left.iter().collect();
    rest.sort();
    let mut groups: BTreeMap<String, (usize, u64, String)> = BTreeMap::new();
    for (at, size) in rest {
        let what = python.whatis(Addr(*at + 32));
        let object = what
            .object
            .map(|object| format!("{}{}", object.class, if object.dead { " dead" } else { "" }));
        let raw = target
            .memory
            .bytes(Addr(*at), 48.min(*size as usize))
            .unwrap();
        let words: Vec<String> = raw
            .chunks(8)
            .map(|word| format!("{:x}", u64::from_le_bytes(word.try_into().unwrap())))
            .collect();
        let key = object.unwrap_or_else(|| format!("size {size}"));
        let n = shown.entry(*size).or_default();
        *n += 1;
        let entry = groups.entry(key).or_insert((0, 0, String::new()));
        entry.0 += 1;
        entry.1 += size;
        if entry.0 <= 3 {
            entry.2 += &format!(
                "\n        {at:#x}: {}  {}",
                words.join(" "),
                String::from_utf8_lossy(&raw)
                    .replace(|c: char| c.is_control() || !c.is_ascii(), ".")
            );
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (_, bytes, _))| std::cmp::Reverse(*bytes));
    for (key, (count, bytes, example)) in groups.iter().take(25) {
        writeln!(out, "    {bytes} bytes, {count} of {key}: {example}").unwrap();
    }
    for (what, (count, example)) in &wrong {
        writeln!(out, "  WRONG {count} {what}: {example}").unwrap();
    }
    print!("{out}");
    Ok(())
}

#[test]
fn blocks_begin_where_the_allocator_says() {
    let check = |interpreter: &Interpreter, failures: &mut Failures| {
        let name = std::env::var("PARTS_FIXTURE").unwrap_or("heap_kinds".into());
        failures.check(&interpreter.id, audit(interpreter, &name));
    };
    Failures::together(interpreters(), check).finish();
}
