//! The engine itself on mutated bytes, without a program around it: whatever the bytes are, it
//! ends, in bounded time and without a panic. Seeds are fixed. `fuzz/` has the same entries for
//! cargo-fuzz; line tables are held against CPython's algorithm in `src/python/lines_tests.rs`.

use crate::harness::{Fixture, cpu_time, interpreters};
use pydbg::Addr;
use pydbg::dwarf::Lines;
use pydbg::heap::roots::{Known, Roots};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::value::Limits;
use pydbg::target::synth::TargetBuilder;
use pydbg::target::synth_core::CoreBuilder;
use pydbg::target::synth_random::Random;
use pydbg::target::{Options, Target, core};
use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// No single mutation may take more processor time.
const LONGEST: Duration = Duration::from_secs(5);

/// A word as damage has them: huge, negative, small, or anything.
fn damaged_word(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => u64::MAX,
        1 => 1 << random.below(64),
        2 => random.below(64) as u64,
        3 => 0,
        _ => random.number(),
    }
}

/// Changes one to eight places of `bytes`, by a byte or a word.
fn mutate(random: &mut Random, bytes: &mut [u8]) {
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        let word = damaged_word(random).to_le_bytes();
        let size = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
        bytes[at..at + size].copy_from_slice(&word[..size]);
    }
}

/// Does everything the engine can do with a target; gives how many Python frames there are.
fn look_at(target: Target) -> usize {
    let start = cpu_time();
    let process = Arc::new(Process::new(Arc::new(target)));
    for thread in process.threads() {
        let Some(stack) = process.stack(thread.id) else {
            continue;
        };
        for frame in &stack.frames {
            let _ = process.symbol(frame.pc.lookup());
        }
    }
    let mut frames = 0;
    if let Ok(python) = Python::find(Arc::clone(&process)) {
        let stacks = python.stacks();
        frames = stacks.iter().map(|(_, stack)| stack.frames.len()).sum();
        for frame in stacks.iter().flat_map(|(_, stack)| &stack.frames) {
            for variable in python.variables(frame).all {
                let value = variable.value.unwrap_or(Addr::NULL);
                let _ = python.objects.show(value, Limits::default());
            }
        }
        for (thread, _) in &stacks {
            let _ = python.exceptions(thread);
        }
        let _ = python.last_exceptions();
        for thread in process.threads() {
            let _ = python.merged(thread.id);
        }
        let _ = python.layout.describe();
        look_at_roots(&python);
    }
    let took = cpu_time() - start;
    assert!(took < LONGEST, "took {took:?}");
    frames
}

/// Finds what keeps objects alive, and says some of it in words.
fn look_at_roots(python: &Python) {
    const SHOWN: usize = 200;
    let mut roots = Roots::precise(python);
    let objects: HashSet<Addr> = roots.all.iter().map(|root| root.object).collect();
    let known = Known {
        low: Addr::NULL,
        high: Addr(u64::MAX),
        is_object: &|addr| objects.contains(&addr),
    };
    roots.add_conservative(python, &known);
    let step = roots.all.len() / SHOWN + 1;
    for root in roots.all.iter().step_by(step) {
        let _ = roots.view(python, root);
    }
}

#[test]
fn small_cores() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("core");
    let whole = CoreBuilder::new()
        .segment(0x1000, 0x2000, "rw-", vec![7; 0x1000])
        .segment(0x40_0000, 0x3000, "r-x", vec![0x90; 0x800])
        .segment(0x7fff_0000, 0x4000, "rw-", vec![1; 0x4000])
        .process(7, "python3.11", "python3.11 x.py")
        .thread(7, 11, &[0x7fff_1000; 27])
        .signal(11, 1, 0x10)
        .thread(8, 0, &[0x40_0010; 27])
        .auxv(&[(3, 0x40_0040), (5, 9), (25, 0x7fff_3000)])
        .file(0x40_0000, 0x40_3000, 0, "/usr/bin/python3.11")
        .build();
    let headers = whole.len().min(0x1400);
    let mut random = Random::new(1);
    for round in 0..3000 {
        let mut bytes = whole.clone();
        mutate(&mut random, &mut bytes[..headers]);
        if round % 5 == 0 {
            bytes.truncate(random.below(whole.len()));
        }
        std::fs::write(&path, &bytes).expect("write");
        if let Ok(target) = core::open(&path, &Options::default()) {
            look_at(target);
        }
    }
}

#[test]
fn cores_of_python() {
    let Some(interpreter) = interpreters().iter().find(|i| i.id == "pyenv-3.11") else {
        return;
    };
    let mut fixture = Fixture::start(interpreter, "many_threads", &["2", "9"]);
    let path = fixture.kernel_core();
    let whole = std::fs::read(&path).expect("the core");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the core");
    let open = |path: &Path| core::open(path, &Options::default());
    let frames = look_at(open(&path).expect("the undamaged core"));
    assert!(frames > 10, "{frames} frames");
    let mut random = Random::new(2);
    for _ in 0..120 {
        let places: Vec<usize> = (0..500).map(|_| random.below(whole.len() - 8)).collect();
        for place in &places {
            let word = damaged_word(&mut random).to_le_bytes();
            file.write_all_at(&word, *place as u64).expect("write");
        }
        if let Ok(target) = open(&path) {
            look_at(target);
        }
        for place in &places {
            let old = &whole[*place..*place + 8];
            file.write_all_at(old, *place as u64).expect("write");
        }
    }
    assert_eq!(look_at(open(&path).expect("the core, whole again")), frames);
}

#[test]
fn runtimes_and_debug_offsets() {
    const AT: u64 = 0x60_0000;
    let mut random = Random::new(3);
    for round in 0..600 {
        let mut memory: Vec<u8> = (0..0x8000).map(|_| random.number() as u8).collect();
        memory[..8].copy_from_slice(b"xdebugpy");
        memory[8..16]
            .copy_from_slice(&(0x030d_00f0 + (u64::from(round % 3 == 0) << 16)).to_le_bytes());
        // Offsets that are believable, and pointers into the memory itself.
        for at in (16..memory.len()).step_by(8) {
            let word = match random.below(4) {
                0 => random.below(2000) as u64,
                1 => AT + random.below(0x8000) as u64 / 8 * 8,
                _ => continue,
            };
            memory[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let target = TargetBuilder::new()
            .mapping(AT, AT + 0x8000, "rw-", "/usr/bin/python3.13", 0x1000)
            .memory(AT, memory)
            .thread(1, &[(7, AT + 64), (16, AT)])
            .build();
        look_at(target);
    }
}

/// A small library with symbols, unwind tables and lines, whose every byte is damaged in turn,
/// and a thread that stands in it on a random stack.
#[test]
fn libraries_and_stacks() {
    const BASE: u64 = 0x7f00_0000_0000;
    const STACK: u64 = 0x7ffe_0000_0000;
    let dir = tempfile::tempdir().expect("a folder");
    let source = dir.path().join("x.c");
    let code = "int f(int a) { char b[64]; return a ? f(a - 1) + b[a & 63] : 1; }\n\
                int g(int a) { return f(a) + f(a + 1); }\n";
    std::fs::write(&source, code).expect("write");
    let path = dir.path().join("libx.so");
    let status = Command::new("cc")
        .args(["-g", "-O1", "-shared", "-fPIC", "-nostdlib", "-o"])
        .args([&path, &source])
        .status();
    assert!(status.expect("cc is not installed").success());
    let whole = std::fs::read(&path).expect("the library");
    let mut random = Random::new(4);
    for round in 0..1200 {
        let mut bytes = whole.clone();
        if round > 0 {
            mutate(&mut random, &mut bytes);
        }
        std::fs::write(&path, &bytes).expect("write");
        let stack: Vec<u64> = (0..512)
            .map(|_| match random.below(3) {
                0 => BASE + random.below(0x2000) as u64,
                1 => STACK + random.below(4096) as u64 / 8 * 8,
                _ => random.number(),
            })
            .collect();
        let pc = BASE + 0x1000 + random.below(0x80) as u64;
        let end = BASE + (bytes.len() as u64).next_multiple_of(4096);
        let target = TargetBuilder::new()
            .mapping(BASE, end, "r-x", path.to_str().expect("UTF-8"), 0)
            .memory(BASE, bytes)
            .words(STACK, &stack)
            .thread(1, &[(6, STACK + 64), (7, STACK + 8), (16, pc)])
            .build();
        let process = Process::new(Arc::new(target));
        for image in &process.images.all {
            let _ = (
                image.symbol_at(Addr(pc)),
                image.named("g"),
                image.exported("f"),
            );
            let _ = Lines::new(image).map(|lines| lines.frames(image.svma(Addr(pc))));
        }
        let stack = process.stack(1).expect("a stack");
        assert!(!stack.frames.is_empty());
    }
}
