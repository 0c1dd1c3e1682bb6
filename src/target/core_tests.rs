//! Whole synthetic cores, sound, damaged and cut, through `core::open`.

use super::core::open;
use super::synth_core::CoreBuilder;
use super::synth_random::Random;
use super::{Options, Target, Why};
use crate::addr::Addr;
use crate::diag::Severity;
use std::io::Write;
use std::path::{Path, PathBuf};

const STACK: u64 = 0x7ffd_0000_0000;
const HEAP: u64 = 0x60_0000;
const NEVER_WRITTEN: u64 = 0x70_0000;
const RESERVED: u64 = 0x80_0000;
const LIB: u64 = 0x7f00_0000_0000;
const MAIN: i32 = 100;

/// The stack page: argc, argv, envp, auxv at 0x400, strings at 0xe00.
fn stack(auxv: &[(u64, u64)]) -> Vec<u8> {
    let mut words = vec![2, STACK + 0xe00, STACK + 0xe07, 0, STACK + 0xe20, 0];
    words.extend(auxv.iter().flat_map(|(kind, value)| [*kind, *value]));
    words.extend([0, 0]);
    let mut raw = vec![0; 0x1000];
    let words: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
    raw[0x400..0x400 + words.len()].copy_from_slice(&words);
    raw[0xe00..0xe0d].copy_from_slice(b"python\0a b c\0");
    raw[0xe20..0xe24].copy_from_slice(b"A=b\0");
    raw
}

fn auxv() -> Vec<(u64, u64)> {
    vec![
        (33, 0x7ffd_1000_0000),
        (3, LIB + 0x40),
        (9, LIB + 0x1010),
        (25, STACK + 0xd00),
    ]
}

/// A core as the kernel writes it: three threads, a stack, a heap, a library at `lib`.
fn builder(lib: &str) -> CoreBuilder {
    let registers = |sp: u64| {
        let mut words = [0; 27];
        (words[16], words[19]) = (LIB + 0x1010, sp);
        words
    };
    let mut core = CoreBuilder::new()
        .thread(MAIN, 11, &registers(STACK + 0x100))
        .process(MAIN, "python", "python a b c ")
        .signal(11, 1, 0xdead)
        .auxv(&auxv())
        .note("CORE", 2, &[0; 512])
        .note("LINUX", 0x202, &[0; 832]);
    for tid in [MAIN + 1, MAIN + 2] {
        core = core
            .thread(tid, 11, &registers(HEAP + 0x100))
            .note("CORE", 2, &[0; 512])
            .note("LINUX", 0x202, &[0; 832]);
    }
    core.segment(HEAP, 0x2000, "rw-", b"heap".repeat(0x800))
        .segment(NEVER_WRITTEN, 0x2000, "rw-", vec![])
        .segment(RESERVED, 0x2000, "---", vec![])
        .segment(LIB, 0x1000, "r--", library(b"0123"))
        .segment(LIB + 0x1000, 0x2000, "r-x", vec![])
        .segment(STACK, 0x1000, "rw-", stack(&auxv()))
        .file(LIB, LIB + 0x1000, 0, lib)
        .file(LIB + 0x1000, LIB + 0x3000, 0x1000, lib)
}

/// The first page of an ELF file with this build-id; an empty one is none.
fn library(build_id: &[u8]) -> Vec<u8> {
    let mut core = CoreBuilder::new();
    if !build_id.is_empty() {
        core = core.note("GNU", 3, build_id);
    }
    let mut page = core.build();
    page[16] = 3;
    page.resize(0x1000, 0);
    page
}

/// The whole library: its code says which offset it is from.
fn library_file(build_id: &[u8]) -> Vec<u8> {
    let mut file = library(build_id);
    file.extend((0x1000..0x2800u64).step_by(8).flat_map(u64::to_le_bytes));
    file
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::File::create(&path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
        path
    }

    fn open(&self, core: &[u8]) -> Target {
        open(&self.write("core", core), &Options::default()).unwrap()
    }

    fn refused(&self, core: &[u8]) -> String {
        let result = open(&self.write("core", core), &Options::default());
        result.err().expect("refused").to_string()
    }
}

fn notes(target: &Target) -> String {
    let notes = target.notes.all();
    notes.iter().map(|n| n.text.clone() + "\n").collect()
}

fn is_whole(target: &Target) -> bool {
    let notes = target.notes.all();
    notes.iter().all(|note| note.severity == Severity::Info)
}

fn tids(target: &Target) -> Vec<i32> {
    target.threads.iter().map(|thread| thread.tid).collect()
}

/// All three threads with registers, and the heap.
fn assert_all_there(target: &Target, what: &str) {
    assert_eq!(tids(target), [MAIN, MAIN + 1, MAIN + 2], "{what}");
    let known =
        |t: &super::TargetThread| t.registers.and_then(|r| r.pc()) == Some(Addr(LIB + 0x1010));
    assert!(target.threads.iter().all(known), "{what}");
    assert_eq!(
        target.memory.u32(Addr(HEAP)).unwrap(),
        u32::from_le_bytes(*b"heap"),
        "{what}"
    );
}

#[test]
fn a_kernel_core_is_read_whole() {
    let folder = Folder::new();
    let lib = folder.write("lib.so", &library_file(b"0123"));
    let target = folder.open(&builder(lib.to_str().unwrap()).build());
    assert_all_there(&target, "sound");
    assert!(target.notes.is_empty(), "{}", notes(&target));
    let signal = target.signal.unwrap();
    assert_eq!(
        (signal.signo, signal.code, signal.fault),
        (11, Some(1), Some(Addr(0xdead)))
    );
    assert_eq!(target.process.args, ["python", "a b c"]);
    assert_eq!(target.process.pid, MAIN);
    assert_eq!(target.process.exe.as_deref(), lib.to_str());
    assert_eq!(target.aux(9), Some(LIB + 0x1010));
    assert_eq!(target.mappings.len(), 6);
    assert_eq!(
        target.mapping(Addr(STACK)).unwrap().path.as_deref(),
        Some("[stack]")
    );
    assert!(target.mapping(Addr(LIB + 0x1000)).unwrap().execute);
}

#[test]
fn what_was_never_written_is_zero_and_what_was_reserved_is_unknown() {
    let folder = Folder::new();
    let target = folder.open(&builder("/nowhere/lib.so").build());
    assert_eq!(target.memory.u64(Addr(NEVER_WRITTEN + 0x10)), Ok(0));
    assert_eq!(
        target.memory.borrow(Addr(NEVER_WRITTEN), 64),
        Some([0; 64].as_slice())
    );
    let fault = target.memory.u64(Addr(RESERVED)).unwrap_err();
    assert_eq!(fault.why, Why::NotDumped);
    assert_eq!(
        target.memory.u64(Addr(0x1000)).unwrap_err().why,
        Why::Unmapped
    );
}

#[test]
fn file_pages_come_from_the_file_with_the_same_build_id_only() {
    let folder = Folder::new();
    let at = Addr(LIB + 0x1008);
    let with = |lib: &[u8]| {
        let lib = folder.write("lib.so", lib);
        folder.open(&builder(lib.to_str().unwrap()).build())
    };
    let same = with(&library_file(b"0123"));
    assert_eq!(same.memory.u64(at), Ok(0x1008));
    assert!(same.memory.borrow(at, 16).is_some());
    // The mapping's second page is half in the file: the rest of the page is zero.
    assert_eq!(same.memory.u64(Addr(LIB + 0x27f8)), Ok(0x27f8));
    assert_eq!(same.memory.u64(Addr(LIB + 0x2800)), Ok(0));
    let mut across = [1; 16];
    same.memory.read(Addr(LIB + 0xff8), &mut across).unwrap();
    assert_eq!(across[8..], 0x1000u64.to_le_bytes());
    assert!(is_whole(&same));
    drop(same);

    let other = with(&library_file(b"4567"));
    assert_eq!(other.memory.u64(at).unwrap_err().why, Why::NotDumped);
    assert!(notes(&other).contains("the target has 30313233, the file 34353637"));
}

#[test]
fn without_a_build_id_the_first_page_must_be_the_same() {
    let folder = Folder::new();
    let at = Addr(LIB + 0x1008);
    let core = |lib: &Path| {
        let plain = builder(lib.to_str().unwrap());
        // The library's page comes again, without its note: at an address the first lacks.
        let lib_at = LIB + 0x10_0000;
        let name = format!("{}.plain", lib.display());
        plain
            .segment(lib_at, 0x1000, "r--", library(b""))
            .segment(lib_at + 0x1000, 0x1000, "r-x", vec![])
            .file(lib_at, lib_at + 0x1000, 0, &name)
            .file(lib_at + 0x1000, lib_at + 0x2000, 0x1000, &name)
            .build()
    };
    let lib = folder.path("lib.so");
    folder.write("lib.so.plain", &library_file(b""));
    let target = folder.open(&core(&lib));
    assert_eq!(target.memory.u64(at.add(0x10_0000)), Ok(0x1008));
    assert!(notes(&target).contains("its first page is the same"));
    let mut changed = library_file(b"");
    changed[0x800] = 1;
    folder.write("lib.so.plain", &changed);
    let target = folder.open(&core(&lib));
    assert!(target.memory.u64(at.add(0x10_0000)).is_err());
    assert!(notes(&target).contains("its first page differs"));
}

#[test]
fn a_fifo_in_nt_file_is_not_opened() {
    let folder = Folder::new();
    let fifo = folder.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let target = folder.open(&builder(fifo.to_str().unwrap()).build());
    assert!(target.memory.u64(Addr(LIB + 0x1008)).is_err());
    assert!(notes(&target).contains("not a regular file"));
    let refused = open(&fifo, &Options::default()).err().unwrap().to_string();
    assert!(refused.contains("not a regular file"), "{refused}");
}

#[test]
fn gcore_cores_have_offsets_in_bytes_and_no_signal() {
    let folder = Folder::new();
    let lib = folder.write("lib.so", &library_file(b"0123"));
    let lib = lib.to_str().unwrap();
    let core = CoreBuilder::new()
        .process(MAIN, "python", "python")
        .thread(MAIN, 0, &[])
        .signal(19, 128, 0)
        .thread(MAIN + 1, 0, &[])
        .signal(19, 128, 0)
        .auxv(&auxv())
        .segment(LIB, 0x1000, "r--", library(b"0123"))
        .file(LIB, LIB + 0x1000, 0, lib)
        .file(LIB + 0x1000, LIB + 0x3000, 0x1000, lib)
        .file_page_size(1)
        .build();
    let target = folder.open(&core);
    assert_eq!(target.signal, None);
    assert!(target.threads.iter().all(|thread| thread.signal.is_none()));
    assert_eq!(target.memory.u64(Addr(LIB + 0x1010)), Ok(0x1010));
    assert_eq!(target.mapping(Addr(LIB + 0x1000)).unwrap().offset, 0x1000);
    assert_eq!(tids(&target), [MAIN, MAIN + 1]);
}

#[test]
fn seventy_thousand_segments_are_counted_by_the_section_header() {
    let folder = Folder::new();
    let mut core = builder("/nowhere/lib.so");
    for index in 0..70_000u64 {
        core = core.segment(0x10_0000_0000 + index * 0x3000, 0x1000, "rw-", vec![]);
    }
    let core = core.build();
    let target = folder.open(&core);
    assert_all_there(&target, "PN_XNUM");
    assert_eq!(target.mappings.len(), 70_006);
    assert!(target.notes.is_empty(), "{}", notes(&target));
    // The kernel puts the section header last, so a cut core lacks it.
    let target = folder.open(&core[..core.len() - 64]);
    assert_eq!(target.mappings.len(), 70_006);
}

#[test]
fn damaged_identity_is_no_reason_to_lose_a_core() {
    let folder = Folder::new();
    let sound = builder("/nowhere/lib.so").build();
    // Class, byte order, type, machine, phentsize, phnum (low, high, none).
    for (at, value) in [
        (4, 0),
        (4, 1),
        (5, 2),
        (16, 2),
        (16, 0xff),
        (18, 3),
        (54, 0),
        (54, 0x20),
        (56, 0),
        (56, 3),
        (56, 0xff),
        (57, 0xff),
        (32, 0x41),
    ] {
        let mut core = sound.clone();
        core[at] = value;
        let target = folder.open(&core);
        assert_all_there(&target, &format!("byte {at} = {value}"));
        assert_eq!(target.mappings.len(), 6, "byte {at} = {value}");
        assert!(!target.notes.is_empty(), "byte {at} = {value}");
    }
}

#[test]
fn notes_are_found_where_the_program_headers_do_not_say() {
    let folder = Folder::new();
    let sound = builder("/nowhere/lib.so").build();
    // The PT_NOTE's type, offset and size.
    for (at, value) in [
        (64, 0x77),
        (64 + 8, 0xff),
        (64 + 14, 1),
        (64 + 33, 1),
        (64 + 38, 1),
    ] {
        let mut core = sound.clone();
        core[at] = value;
        let target = folder.open(&core);
        assert_all_there(&target, &format!("byte {at} = {value}"));
        assert!(!is_whole(&target), "byte {at} = {value}");
    }
}

#[test]
fn what_is_no_core_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let sound = builder("/nowhere/lib.so").build();
    let with = |changes: &[(usize, u8)]| {
        let mut bytes = CoreBuilder::new()
            .segment(0x1000, 0x1000, "r-x", vec![1])
            .build();
        changes.iter().for_each(|(at, value)| bytes[*at] = *value);
        folder.refused(&bytes)
    };
    assert!(with(&[(16, 2)]).contains("--exe"));
    assert!(with(&[(4, 1)]).contains("32-bit"));
    assert!(with(&[(5, 2)]).contains("big-endian"));
    assert!(with(&[(18, 183)]).contains("another CPU"));
    assert!(with(&[(16, 1)]).contains("type 1"));
    assert!(folder.refused(b"").contains("empty"));
    assert!(folder.refused(b"#!/bin/sh\n").contains("not an ELF file"));
    assert!(
        folder
            .refused(&[0x28, 0xb5, 0x2f, 0xfd, 0])
            .contains("cut before anything")
    );
    assert!(folder.refused(&sound[..40]).contains("cut"));
    assert!(folder.refused(&sound[..64]).contains("cut"));
    let directory = open(folder.0.path(), &Options::default()).err().unwrap();
    assert!(directory.to_string().contains("directory"));
    let missing = open(&folder.path("no"), &Options::default()).err().unwrap();
    assert!(missing.to_string().contains("no such file"));
}

/// Offsets of all note headers of a core.
fn note_headers(core: &[u8]) -> Vec<usize> {
    let is = |at: &usize| core[*at..].starts_with(b"CORE\0") || core[*at..].starts_with(b"LINUX\0");
    (0..0x4000)
        .step_by(4)
        .filter(is)
        .map(|at| at - 12)
        .collect()
}

#[test]
fn damaged_note_sizes_lose_no_thread() {
    let folder = Folder::new();
    let sound = builder("/nowhere/lib.so").build();
    let headers = note_headers(&sound);
    assert_eq!(headers.len(), 13);
    for at in headers {
        for (field, value) in [(0, u32::MAX), (4, u32::MAX), (4, 8), (4, 0x1000), (0, 0)] {
            let mut core = sound.clone();
            core[at + field..at + field + 4].copy_from_slice(&value.to_le_bytes());
            let target = folder.open(&core);
            assert_all_there(&target, &format!("{value:#x} at {at:#x}+{field}"));
            assert!(!target.notes.is_empty(), "{value:#x} at {at:#x}+{field}");
        }
    }
}

#[test]
fn threads_that_are_twice_short_or_missing_are_told() {
    let folder = Folder::new();
    let base = |core: CoreBuilder| core.segment(HEAP, 0x1000, "rw-", vec![0; 0x1000]).build();
    let twice = CoreBuilder::new().thread(7, 6, &[1]).thread(7, 6, &[2]);
    let twice = folder.open(&base(twice));
    assert_eq!(tids(&twice), [7]);
    assert!(notes(&twice).contains("twice"));
    let short = CoreBuilder::new()
        .thread(7, 6, &[])
        .note("CORE", 1, &[0; 200]);
    let short = folder.open(&base(short));
    assert!(short.threads[1].registers.is_none());
    assert!(notes(&short).contains("cut or damaged"));
    let lost = CoreBuilder::new()
        .thread(7, 6, &[])
        .note("CORE", 2, &[0; 512]);
    let lost = folder.open(&base(lost.note("CORE", 2, &[0; 512])));
    assert!(notes(&lost).contains("registers of 1 threads are missing"));
    let none = folder.open(&base(CoreBuilder::new()));
    assert!(none.threads.is_empty());
    assert!(notes(&none).contains("no thread notes"));
    assert_eq!(none.memory.u64(Addr(HEAP)), Ok(0));
}

#[test]
fn a_lost_auxiliary_vector_is_found_on_the_stack() {
    let folder = Folder::new();
    let mut registers = [0; 27];
    registers[19] = STACK + 0x100;
    let core = CoreBuilder::new()
        .thread(MAIN, 6, &registers)
        .process(MAIN, "python", "python")
        .segment(STACK, 0x1000, "rw-", stack(&auxv()));
    let target = folder.open(&core.build());
    assert_eq!(target.auxv, auxv());
    assert_eq!(target.process.args, ["python", "a b c"]);
}

#[test]
fn a_core_without_anonymous_memory_has_no_zeros() {
    let folder = Folder::new();
    let mut registers = [0; 27];
    registers[19] = STACK + 0x100;
    let core = CoreBuilder::new()
        .thread(MAIN, 6, &registers)
        .segment(HEAP, 0x1000, "rw-", vec![])
        .segment(STACK, 0x1000, "rw-", vec![])
        .file(LIB, LIB + 0x1000, 0, "/lib.so");
    let target = folder.open(&core.build());
    assert_eq!(
        target.memory.u64(Addr(HEAP)).unwrap_err().why,
        Why::NotDumped
    );
    assert!(notes(&target).contains("coredump_filter"));
}

/// Uses everything a target has.
fn exercise(target: &Target) {
    for mapping in &target.mappings {
        let mut buf = [0; 32];
        let _ = target.memory.read(mapping.start, &mut buf);
        let _ = target.memory.read(mapping.end.sub(16), &mut buf);
        let _ = target.memory.borrow(mapping.start, 4096);
        let _ = super::build_id_in_memory(&*target.memory, mapping.start);
    }
    let apart = target
        .mappings
        .windows(2)
        .all(|two| two[0].end <= two[1].start);
    assert!(apart, "mappings overlap");
    let _ = target.memory.read(Addr(u64::MAX - 3), &mut [0; 16]);
}

#[test]
fn a_core_cut_anywhere_keeps_what_is_there() {
    let folder = Folder::new();
    let sound = builder("/nowhere/lib.so").build();
    let headers = note_headers(&sound);
    let boundaries = headers
        .iter()
        .flat_map(|at| [*at, at + 4, at + 12, at + 20]);
    let program_headers = (0..8).map(|index| 64 + index * 56);
    let pages = (0..sound.len()).step_by(4096);
    let sample = (0..sound.len()).step_by(97);
    let cuts = boundaries.chain(program_headers).chain(pages).chain(sample);
    for cut in cuts {
        let path = folder.write("core", &sound[..cut]);
        let Ok(target) = open(&path, &Options::default()) else {
            assert!(cut <= 64 + 56, "cut at {cut}");
            continue;
        };
        exercise(&target);
        assert!(!is_whole(&target), "cut at {cut}");
    }
    // Only the tail is lost: the stack comes last.
    let target = folder.open(&sound[..sound.len() - 1]);
    assert_all_there(&target, "tail cut");
    assert_eq!(
        target.memory.u8(Addr(STACK + 0xfff)).unwrap_err().why,
        Why::Cut
    );
    assert!(target.memory.u8(Addr(STACK + 0xffe)).is_ok());
    assert!(notes(&target).contains("([stack]) is missing"));
}

#[test]
fn random_damage_never_panics() {
    let folder = Folder::new();
    let lib = folder.write("lib.so", &library_file(b"0123"));
    let sound = builder(lib.to_str().unwrap()).build();
    let notes_end = note_headers(&sound).last().unwrap() + 0x200;
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut opened = 0;
    for round in 0..2_000 {
        let mut core = sound.clone();
        // Half the rounds aim at the headers and notes, where damage matters most.
        let reach = if round % 2 == 0 {
            notes_end
        } else {
            core.len()
        };
        for _ in 0..=random.below(8) {
            let at = random.below(reach);
            let width = [1, 2, 4, 8][random.below(4)].min(core.len() - at);
            let number = random.below(1 << 30) as u64;
            let value = [0, u64::MAX, 0x7fff_ffff, 1 << 60, number][random.below(5)];
            core[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        if round % 10 == 0 {
            core.truncate(random.below(core.len()));
        }
        let path = folder.write("core", &core);
        if let Ok(target) = open(&path, &Options::default()) {
            exercise(&target);
            opened += 1;
        }
    }
    assert!(opened > 1_800, "only {opened} of 2000 could be opened");
}
