//! The books of pymalloc, and of mimalloc in free-threaded builds, against what `sys._debugmallocstats()` says in the very process.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use crate::values_without_files::hide_files;
use pydbg::diag::Cancel;
use pydbg::heap::alloc::Use;
use pydbg::heap::alloc::mimalloc::{HeapRow, Segments};
use pydbg::heap::alloc::pymalloc::{Pymalloc, StateFigures};
use pydbg::heap::pieces::Pieces;
use pydbg::heap::tracked;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::obmalloc::Allocator;
use pydbg::target::{self, Options, Target};
use std::collections::BTreeMap;
use std::sync::Arc;

fn python(target: Target) -> Python {
    Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python")
}

/// The statistics by their names, and the rows of the table of classes.
fn told(text: &str) -> (BTreeMap<String, u64>, Vec<[u64; 5]>) {
    let (mut named, mut rows) = (BTreeMap::new(), Vec::new());
    let number = |word: &str| word.replace(',', "").parse::<u64>().ok();
    for line in text
        .lines()
        .take_while(|line| !line.starts_with("arena map"))
    {
        if let Some((name, value)) = line.split_once('=') {
            if let Some(value) = number(value.trim()) {
                named.entry(name.trim().to_owned()).or_insert(value);
            }
            continue;
        }
        let words: Vec<u64> = line.split_whitespace().filter_map(number).collect();
        rows.extend(<[u64; 5]>::try_from(words));
    }
    (named, rows)
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, told: T) -> Result<(), String> {
    match found == told {
        true => Ok(()),
        false => Err(format!("{what}: {found:?} found, {told:?} told")),
    }
}

/// Compares figures with the statistics; what each row and name means is that of
/// `pymalloc_print_stats`.
fn compare_statistics(state: &StateFigures, text: &str) -> Result<(), String> {
    let (named, told) = told(text);
    let rows: Vec<[u64; 5]> = state
        .classes
        .iter()
        .map(|row| {
            [
                row.class.into(),
                row.size.into(),
                row.pools,
                row.used,
                row.available(),
            ]
        })
        .collect();
    equal("classes", rows, told)?;
    let ends = |end: &str| {
        let found = named.iter().find(|(name, _)| name.contains(end));
        found.map_or(u64::MAX, |(_, value)| *value)
    };
    let bytes = &state.bytes;
    let unused = format!(
        "{} unused pools * {} bytes",
        state.unused_pools, state.pool_size
    );
    for (name, found) in [
        ("# arenas allocated current", state.arenas.len() as u64),
        ("bytes/arena", state.size),
        ("# bytes in allocated blocks", bytes.used),
        ("# bytes in available blocks", bytes.available),
        (&unused, bytes.unused_pools),
        ("# bytes lost to pool headers", bytes.headers),
        ("# bytes lost to quantization", bytes.quantization),
        ("# bytes lost to arena alignment", bytes.alignment),
        ("Total", bytes.total()),
    ] {
        equal(name, found, ends(name))?;
    }
    if let Some(totals) = state.totals {
        equal("now", totals.now, ends("# arenas allocated current"))?;
        equal("ever", totals.ever, ends("# arenas allocated total"))?;
        equal("most", totals.most, ends("# arenas highwater mark"))?;
    }
    equal("total", bytes.total(), state.size)
}

/// Checks that the spans of all arenas lie side by side and come to the same as the figures, and
/// that known blocks are in use.
fn compare_spans(
    pymalloc: &Pymalloc,
    pieces: &Pieces<'_>,
    state: &StateFigures,
    fixture: &Fixture,
) -> Result<(), String> {
    let (mut used, mut overhead, mut blocks) = (0, 0, BTreeMap::new());
    for arena in pymalloc.arenas() {
        let mut at = arena.start;
        let mut apart = None;
        let gaps = pymalloc.spans(pieces, arena, &mut |span| {
            if span.start != at || span.len == 0 {
                apart.get_or_insert(span);
            }
            at = span.start.add(span.len);
            match span.used {
                Use::Used => {
                    used += span.len;
                    blocks.insert(span.start.0, span.len);
                }
                Use::Overhead => overhead += span.len,
                Use::Free | Use::Fresh => {}
            }
        });
        equal("gaps", gaps, Vec::new())?;
        equal("spans apart", apart, None)?;
        equal("end of the spans", at, arena.start.add(arena.size))?;
    }
    let bytes = &state.bytes;
    equal("used", used, bytes.used)?;
    equal(
        "overhead",
        overhead,
        bytes.headers + bytes.quantization + bytes.alignment,
    )?;
    // With debug hooks what Python has of a block begins behind them.
    let hooks = pymalloc.serving.hooks == Some(true);
    for kept in list(&fixture.truth.expect["kept"]) {
        let [address, size] = [0, 1].map(|index| kept[index].as_u64().unwrap_or(0));
        let block = blocks.range(..=address).next_back();
        let whole = block.is_some_and(|(start, len)| {
            *start + if hooks { 16 } else { 0 } == address && address + size <= start + len
        });
        if !whole && size <= if hooks { 480 } else { 512 } {
            return Err(format!(
                "{size} bytes at {address:#x} are not in use: {block:x?}"
            ));
        }
    }
    Ok(())
}

fn compare_pymalloc(python: &Python, fixture: &Fixture, hooks: bool) -> Result<(), String> {
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let pymalloc = Pymalloc::of(python, &pieces);
    let figures = pymalloc.figures(&pieces);
    equal("problems", &figures.problems, &Vec::new())?;
    let serving = &figures.serving;
    equal(
        "serving",
        (serving.allocator, serving.hooks),
        (Some(Allocator::Pymalloc), Some(hooks)),
    )?;
    let [state] = figures.states.as_slice() else {
        return Err(format!("{} states", figures.states.len()));
    };
    if python.version.pair() > (3, 0) {
        let path = fixture.dir().join("truth.json.stats");
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        compare_statistics(state, &text)?;
    }
    compare_spans(&pymalloc, &pieces, state, fixture)
}

/// Free-threaded builds: blocks in use by the process's own count, spans side by side, and whether
/// all that the collector tracks and known blocks are in use.
fn compare_mimalloc(python: &Python, fixture: &Fixture) -> Result<(), String> {
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let segments = Segments::of(python, &pieces);
    let figures = segments.figures(python, &pieces);
    equal("gaps", &figures.gaps, &Vec::new())?;
    let path = fixture.dir().join("truth.json.stats");
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let told: u64 = text.trim().parse().map_err(|_| text.clone())?;
    let found: u64 = figures.heaps.iter().map(|heap| heap.used_blocks).sum();
    equal("blocks in use", found, told + 1)?;
    let (mut bytes, mut blocks) = ([0; 4], BTreeMap::new());
    for segment in &segments.all {
        let (mut at, mut apart) = (segment.start, None);
        segments.spans(python, &pieces, segment, &mut |span| {
            if span.start != at || span.len == 0 {
                apart.get_or_insert((at, span));
            }
            at = span.start.add(span.len);
            bytes[span.used as usize] += span.len;
            if span.used == Use::Used {
                blocks.insert(span.start.0, span.len);
            }
        });
        equal("spans apart", apart, None)?;
        equal("end of the spans", at, segment.start.add(segment.size))?;
    }
    let sum = |part: fn(&HeapRow) -> u64| figures.heaps.iter().map(part).sum::<u64>();
    let expected = [
        sum(|heap| heap.used),
        sum(|heap| heap.free) + figures.unused,
        sum(|heap| heap.fresh),
        sum(|heap| heap.overhead) + figures.headers,
    ];
    equal("bytes", bytes, expected)?;
    equal("size", bytes.iter().sum(), figures.size)?;
    let in_use = |address: u64, size: u64| {
        let block = blocks.range(..=address).next_back();
        block.is_some_and(|(start, len)| address + size <= start + len)
    };
    for kept in list(&fixture.truth.expect["kept"]) {
        let [address, size] = [0, 1].map(|index| kept[index].as_u64().unwrap_or(0));
        if !in_use(address, size) {
            return Err(format!("{size} bytes at {address:#x} are not in use"));
        }
    }
    let mut free = None;
    tracked::each(python, &pieces, &Cancel::default(), &mut |object, _| {
        if !in_use(object.0, 1) {
            free = Some(object);
        }
    });
    equal("tracked, but free", free, None)
}

fn compare(python: &Python, fixture: &Fixture, hooks: bool) -> Result<(), String> {
    match python.layout.free_threaded {
        true => compare_mimalloc(python, fixture),
        false => compare_pymalloc(python, fixture, hooks),
    }
}

/// What the command prints is what the engine found, and the picture has a row for each arena.
fn check_command(interpreter: &Interpreter, fixture: &Fixture) -> Result<(), String> {
    let file = fixture.dir().join("pools.svg");
    let answer = Pydbg::live(fixture.pid(), &[], "info pymalloc --arenas")?;
    let data = &answer["data"];
    let Some(state) = data["states"].get(0) else {
        let heaps = list(&data["mimalloc"]["heaps"]);
        return equal("heaps", heaps.is_empty(), !interpreter.id.ends_with('t'));
    };
    let bytes = state["bytes"].as_object().into_iter().flatten();
    let sum: u64 = bytes.filter_map(|(_, bytes)| bytes.as_u64()).sum();
    equal("bytes", Some(sum), state["size"].as_u64())?;
    let command = format!("info pymalloc --svg {}", file.display());
    Pydbg::live(fixture.pid(), &[], &command)?;
    let picture = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    equal("picture", picture.ends_with("</svg>\n"), true)?;
    let rows = list(&state["arenas"])
        .iter()
        .filter_map(|arena| arena["address"].as_str());
    let missing = rows.filter(|address| !picture.contains(*address)).count();
    equal("arenas that are not in the picture", missing, 0)
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let hooks = interpreter.has("debug");
    let mut fixture = Fixture::start(interpreter, "small_blocks", &[]);
    let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
    let result = compare(&python(live), &fixture, hooks);
    failures.check(&format!("{} live", interpreter.id), result);
    if ["3.8", "3.12", "3.14", "3.13t"]
        .iter()
        .any(|end| interpreter.id.ends_with(end))
    {
        let result = check_command(interpreter, &fixture);
        failures.check(&format!("{} command", interpreter.id), result);
    }
    let path = fixture.kernel_core();
    let core = target::core::open(&path, &interpreter.options()).expect("a core");
    let result = compare(&python(core), &fixture, hooks);
    failures.check(&format!("{} kernel core", interpreter.id), result);
    if interpreter.version > (3, 12) {
        return;
    }
    // Without the files no symbol tells where the table of arenas is.
    let empty = tempfile::tempdir().unwrap();
    let options = Options {
        sysroot: Some(empty.path().to_path_buf()),
        ..interpreter.options()
    };
    let core = target::core::open(&hide_files(&path), &options).expect("a core");
    let result = compare(&python(core), &fixture, hooks);
    failures.check(&format!("{} without files", interpreter.id), result);
}

#[test]
fn figures_are_those_of_the_process_itself() {
    Failures::together(interpreters(), check).finish();
}
