//! glibc's malloc as it lies in memory, against what `malloc_info`, `mallinfo2` and
//! `malloc_usable_size` say in the process itself.

use crate::harness::corefile::CoreFile;
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, cpu_time, interpreters, list};
use pydbg::Addr;
use pydbg::heap::alloc::Use;
use pydbg::heap::alloc::glibc::{ArenaFigures, BlockUse, Glibc};
use pydbg::heap::pieces::Pieces;
use pydbg::native::Process;
use pydbg::target::{self, Target};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the blocks in the fixture's table are.
const USED: u64 = 0;
const CACHED: u64 = 1;
const FREED: u64 = 2;
const ALONE: u64 = 3;

fn words(fixture: &Fixture, suffix: &str) -> Vec<u64> {
    let path = fixture.dir().join(format!("truth.json.{suffix}"));
    let raw = std::fs::read(path).expect("what the fixture tells");
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    raw.chunks_exact(8).map(word).collect()
}

/// One `<heap>` of `malloc_info`.
#[derive(Debug, PartialEq, Eq)]
struct Heap {
    fast: (u64, u64),
    rest: (u64, u64),
    unsorted: (u64, u64),
    system: u64,
    max_system: u64,
    aspace: u64,
    subheaps: Option<u64>,
}

/// The value of an attribute behind a text.
fn attribute(text: &str, before: &str, name: &str) -> Option<u64> {
    let tail = &text[text.find(before)?..];
    let tail = &tail[tail.find(&format!(" {name}=\""))? + name.len() + 3..];
    tail[..tail.find('"')?].parse().ok()
}

fn heaps(fixture: &Fixture) -> (Vec<Heap>, (u64, u64)) {
    let path = fixture.dir().join("truth.json.info");
    let text = std::fs::read_to_string(path).expect("malloc_info");
    let mut parts: Vec<&str> = text.split("<heap ").skip(1).collect();
    let last = parts.pop().expect("an arena");
    let (last, rest) = last.split_once("</heap>").expect("an end");
    parts.push(last);
    let heap = |part: &&str| {
        let of = |before: &str, name| attribute(part, before, name);
        let unsorted = |name| of("<unsorted", name).unwrap_or(0);
        let pair = |before| Some((of(before, "count")?, of(before, "size")?));
        Heap {
            // From 2.43 on there are none.
            fast: pair("<total type=\"fast\"").unwrap_or_default(),
            rest: pair("<total type=\"rest\"").expect("rest"),
            unsorted: (unsorted("count"), unsorted("total")),
            system: of("<system type=\"current\"", "size").expect("system"),
            max_system: of("<system type=\"max\"", "size").expect("most"),
            aspace: of("<aspace type=\"mprotect\"", "size").expect("committed"),
            subheaps: of("<aspace type=\"subheaps\"", "size"),
        }
    };
    let mapped = |name| attribute(rest, "<total type=\"mmap\"", name).expect("mmap");
    (
        parts.iter().map(heap).collect(),
        (mapped("count"), mapped("size")),
    )
}

/// The figures of an arena in the words of `malloc_info`, which adds the flag in the size of each
/// free chunk but the last.
fn heap(arena: &ArenaFigures) -> Heap {
    let with_flags = |sum: pydbg::sum::Sum| (sum.count, sum.bytes + sum.count);
    let bins = with_flags(arena.bins);
    Heap {
        fast: (arena.fast.count, arena.fast.bytes),
        rest: (bins.0 + 1, bins.1 + arena.top),
        unsorted: with_flags(arena.unsorted),
        system: arena.system,
        max_system: arena.max_system,
        aspace: match arena.main {
            true => arena.system,
            false => arena.committed,
        },
        subheaps: (!arena.main).then_some(arena.segments as u64),
    }
}

/// What is wrong, if anything.
fn compare(target: Target, fixture: &Fixture, caches: usize) -> Result<(), String> {
    let process = Process::new(Arc::new(target));
    let pieces = Pieces::new(&*process.target.memory, &process.target.mappings);
    let glibc = Glibc::find(&process, &pieces).ok_or("no glibc")?;
    let figures = glibc.figures(&pieces);
    let problems = [&glibc.problems[..], &figures.problems].concat();
    if !problems.is_empty() {
        let segments = glibc.arenas.iter().map(|arena| &arena.segments);
        let segments: Vec<_> = segments.collect();
        return Err(format!("{problems:?} {segments:?}"));
    }
    let (told, mapped) = heaps(fixture);
    let found: Vec<Heap> = figures.arenas.iter().map(heap).collect();
    if told != found {
        return Err(format!("told {told:?}, found {found:?}"));
    }
    // glibc 2.43 counts 16 bytes too many for each mremap().
    let excess = mapped.1.wrapping_sub(figures.mapped.bytes);
    let counts_wrong = figures
        .arenas
        .iter()
        .all(|arena| arena.fast == Default::default());
    let right = excess == 0 || (counts_wrong && excess < 4096 && excess % 16 == 0);
    if mapped.0 != figures.mapped.count || !right {
        return Err(format!("{mapped:?} mapped, {:?} found", figures.mapped));
    }
    // struct mallinfo2: arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks,
    // keepcost.
    let totals = words(fixture, "totals");
    let sum = |of: fn(&ArenaFigures) -> u64| figures.arenas.iter().map(of).sum::<u64>();
    let system = sum(|arena| arena.system);
    let free = sum(|arena| arena.bins.bytes + arena.fast.bytes + arena.top);
    let own = [
        system,
        sum(|arena| arena.bins.count + 1),
        sum(|arena| arena.fast.count),
        figures.mapped.count,
        figures.mapped.bytes + excess,
        0,
        sum(|arena| arena.fast.bytes),
        system - free,
        free,
        figures.arenas.first().map_or(0, |arena| arena.top),
    ];
    if totals != own {
        return Err(format!("mallinfo2 {totals:?}, found {own:?}"));
    }
    let threads: Vec<_> = glibc.caches.iter().map(|cache| cache.thread).collect();
    if threads.iter().flatten().count() != caches {
        return Err(format!("{caches} caches are in use, found {threads:?}"));
    }
    compare_blocks(&glibc, &pieces, fixture)
}

fn compare_blocks(glibc: &Glibc, pieces: &Pieces<'_>, fixture: &Fixture) -> Result<(), String> {
    let mut blocks = HashMap::new();
    glibc.blocks(pieces, &mut |block| {
        blocks.insert(block.start.add(16), block.state);
    });
    let mut spans = HashMap::new();
    let regions = glibc.regions();
    let mut all = regions.iter();
    let mut region = all.next();
    let mut at = region.map(|region| region.start);
    let mut apart = None;
    glibc.each(pieces, &mut |span| {
        if at == region.map(|region| region.end) {
            region = all.next();
            at = region.map(|region| region.start);
        }
        if at != Some(span.start) {
            apart.get_or_insert(format!("{span:?} does not follow {at:?}"));
        }
        at = Some(span.start.add(span.len));
        spans.insert(span.start, span);
    });
    if apart.is_some() || all.next().is_some() || at != region.map(|region| region.end) {
        return Err(format!("{apart:?} {at:?} {region:?}"));
    }
    let table = words(fixture, "blocks");
    let mut counts = [0; 4];
    let main = regions.iter().filter(|region| region.arena == Some(0));
    let main: Vec<_> = main.map(|region| region.start..region.end).collect();
    for told in table.chunks_exact(3) {
        let (address, usable, kind) = (Addr(told[0]), told[1], told[2]);
        // The main thread goes on, and takes what was freed.
        let moves = [CACHED, FREED].contains(&kind);
        if moves && main.iter().any(|range| range.contains(&address)) {
            continue;
        }
        counts[kind as usize] += 1;
        let state = blocks.get(&address).copied();
        let span = spans.get(&address);
        let right = match kind {
            USED => state == Some(BlockUse::Used),
            CACHED => state == Some(BlockUse::Cached),
            FREED => state != Some(BlockUse::Used),
            ALONE => span.is_some_and(|span| span.used == Use::Used),
            _ => false,
        };
        let length = kind == FREED || span.is_some_and(|span| span.len == usable);
        if !right || !length {
            return Err(format!("{told:x?} is {state:?}, {span:?}"));
        }
    }
    match counts.iter().all(|count| *count > 0) {
        true => Ok(()),
        false => Err(format!("there was nothing to compare: {counts:?}")),
    }
}

/// What the commands print is what the engine found, and the picture has each run of memory.
fn check_commands(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "mallocs", &["plain"]);
    let picture = fixture.dir().join("arenas.svg");
    let result = json_of_commands(&fixture, &picture).and_then(|()| text_of_commands(&fixture));
    failures.check(&format!("{} commands", interpreter.id), result);
}

fn json_of_commands(fixture: &Fixture, picture: &Path) -> Result<(), String> {
    let answer = Pydbg::live(fixture.pid(), &[], "info malloc --sizes")?;
    let data = &answer["data"];
    if data["server"]["library"] != "glibc" || data["mapped"]["certain"] != true {
        return Err(format!("{} {}", data["server"], data["mapped"]));
    }
    let used = |rows: &Value| -> u64 {
        let bytes = list(rows).iter().map(|row| row["used"]["bytes"].as_u64());
        bytes.flatten().sum()
    };
    let (by_arena, by_size) = (used(&data["arenas"]), used(&data["sizes"]));
    if by_arena == 0 || by_arena != by_size {
        return Err(format!("{by_arena} in arenas, {by_size} by size"));
    }
    let command = format!("info arenas --svg {}", picture.display());
    let answer = Pydbg::live(fixture.pid(), &[], &command)?;
    let heaps = list(&answer["data"]["heaps"]);
    let drawn = std::fs::read_to_string(picture).map_err(|error| error.to_string())?;
    let is_drawn = |heap: &&Value| heap["start"].as_str().is_some_and(|at| drawn.contains(at));
    match heaps.len() >= 4 && heaps.iter().filter(is_drawn).count() == heaps.len() {
        true => Ok(()),
        false => Err(format!("{heaps:?} are not all in the picture")),
    }
}

fn text_of_commands(fixture: &Fixture) -> Result<(), String> {
    let pid = fixture.pid().to_string();
    let commands = ["info malloc --sizes", "info arenas"];
    let shown = Pydbg::run(&["attach", &pid, "-q"], &commands);
    let text = String::from_utf8_lossy(&shown.stdout);
    let starts = [
        "malloc is served by glibc (",
        "4 arenas have ",
        "malloc_trim(0) could give back ",
        "Arena              Threads Heaps    System    In use    Cached      Fast",
        "main_arena ",
        "                 Size    In use     bytes    Cached      Fast",
        "Arena              From               To                      Size In use",
    ];
    let missing = |start: &&&str| !text.lines().any(|line| line.starts_with(**start));
    match starts.iter().find(missing) {
        None => Ok(()),
        Some(start) => Err(format!("no line starts with {start:?}: {text}")),
    }
}

/// The process live and from a core.
fn check(interpreter: &Interpreter, how: &str, caches: usize, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "mallocs", &[how]);
    let what = |kind| format!("{} {how} {kind}", interpreter.id);
    let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
    failures.check(&what("live"), compare(live, &fixture, caches));
    let core = target::core::open(&fixture.kernel_core(), &interpreter.options()).expect("a core");
    failures.check(&what("core"), compare(core, &fixture, caches));
}

#[test]
fn figures_are_those_of_malloc_itself() {
    let each = |interpreter: &Interpreter, failures: &mut Failures| {
        check(interpreter, "plain", 4, failures);
        // The C libraries of the others are one of these two.
        if ["pyenv-3.12", "sid-3.14"].contains(&interpreter.id.as_str()) {
            check(interpreter, "foreign", 4, failures);
            check(interpreter, "blocked", 4, failures);
            check(interpreter, "forked", 1, failures);
            check_commands(interpreter, failures);
        }
    };
    Failures::together(interpreters(), each).finish();
}

/// Damage to sizes, links and arenas is found, ends, and leaves the rest as it was.
#[test]
fn damage_is_told_and_ends() {
    const LIMIT: Duration = Duration::from_secs(20);
    let Some(interpreter) = interpreters().iter().find(|one| !one.is_chroot()) else {
        return;
    };
    let mut fixture = Fixture::start(interpreter, "mallocs", &["plain"]);
    let path = fixture.kernel_core();
    let core = CoreFile::read(&path);
    let open = |path: &std::path::Path| {
        let target = target::core::open(path, &interpreter.options()).expect("a core");
        Process::new(Arc::new(target))
    };
    let process = open(&path);
    let pieces = Pieces::new(&*process.target.memory, &process.target.mappings);
    let glibc = Glibc::find(&process, &pieces).expect("glibc");
    let mut chunks = Vec::new();
    glibc.blocks(&pieces, &mut |block| chunks.push(block.start));
    let cache = glibc.caches.first().expect("a cache").address;
    let arena = glibc.arenas.get(1).expect("an arena");
    let sizes = [0, 8, 0x18, 0x13, 1 << 60, u64::MAX, 0x10_0001];
    let mut places: Vec<(Addr, u64)> = Vec::new();
    // A link that is not followed may be damaged unnoticed, a size may not.
    let noticed = sizes.len();
    for (index, size) in sizes.into_iter().enumerate() {
        let chunk = chunks[chunks.len() * (index + 1) / (sizes.len() + 2)];
        places.push((chunk.add(8), size));
    }
    // Lists that lead to themselves or to nothing, a ring that does not close, a top elsewhere.
    for value in [cache.0, 0x1234_5670, u64::MAX] {
        let fields = (0..76).map(|field| cache.add(field * 8));
        places.extend(fields.map(|at| (at, value)).step_by(19));
        let fields = (0..270).map(|field| arena.address.add(field * 8));
        places.extend(fields.map(|at| (at, value)).step_by(67));
        places.push((arena.segments[0].start.add(8), value));
        places.push((arena.segments[0].start.add(16), value));
    }
    let damaged = fixture.dir().join("damaged");
    for (index, (at, value)) in places.into_iter().enumerate() {
        let Some(offset) = core.place(at.0) else {
            continue;
        };
        let mut bytes = core.bytes.clone();
        bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        std::fs::write(&damaged, &bytes).expect("write");
        let process = open(&damaged);
        let pieces = Pieces::new(&*process.target.memory, &process.target.mappings);
        let before = cpu_time();
        if let Some(glibc) = Glibc::find(&process, &pieces) {
            let figures = glibc.figures(&pieces);
            let mut told = 0;
            glibc.each(&pieces, &mut |span| told += span.len);
            let regions = glibc.regions();
            let known = |region: &pydbg::heap::alloc::glibc::Region| {
                region.lost.unwrap_or(region.end).0 - region.start.0
            };
            let all: u64 = regions.iter().map(known).sum();
            assert!(told <= all, "{at} {value:#x}: {told} of {all} bytes");
            let quiet = glibc.problems.is_empty() && figures.problems.is_empty();
            assert!(
                index >= noticed || !quiet,
                "{at} {value:#x} was not noticed"
            );
        }
        assert!(cpu_time() - before < LIMIT, "{at} {value:#x} takes long");
    }
}
