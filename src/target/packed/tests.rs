//! Packed synthetic cores, whole, cut, damaged and hostile. The packing is done by the crates'
//! own encoders; `tests/it/packed.rs` takes the programs and real cores.

use super::decode::{End, decode};
use super::{Format, MOST_UNPACKED};
use crate::addr::Addr;
use crate::diag::{Progress, Severity};
use crate::target::core::open;
use crate::target::sparse::Sparse;
use crate::target::synth_core::CoreBuilder;
use crate::target::synth_random::Random;
use crate::target::{Options, Target};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const ALL: [Format; 4] = [Format::Zstd, Format::Lz4, Format::Gzip, Format::Xz];
const HEAP: u64 = 0x60_0000;
const HEAP_SIZE: usize = 0x10_0000;

fn pack(format: Format, bytes: &[u8]) -> Vec<u8> {
    match format {
        Format::Zstd => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            ruzstd::encoding::compress_to_vec(bytes, level)
        }
        Format::Lz4 => {
            // As systemd does it: blocks of 64 KiB.
            let info = lz4_flex::frame::FrameInfo::new()
                .block_size(lz4_flex::frame::BlockSize::Max64KB)
                .content_checksum(true);
            let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        Format::Gzip => {
            let level = flate2::Compression::fast();
            let mut out = flate2::write::GzEncoder::new(Vec::new(), level);
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        Format::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(0);
            let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
    }
}

/// Bytes that pack neither well nor badly.
fn heap() -> Vec<u8> {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let words = (0..HEAP_SIZE as u64 / 8).map(|index| {
        let number = random.number();
        [index, number % 1000, 0, number][(index % 4) as usize]
    });
    words.flat_map(u64::to_le_bytes).collect()
}

fn core() -> Vec<u8> {
    let mut registers = [0; 27];
    registers[19] = HEAP + 0x100;
    CoreBuilder::new()
        .thread(7, 11, &registers)
        .process(7, "python", "python a b")
        .signal(11, 1, 0)
        .auxv(&[(3, 0x40)])
        .segment(HEAP, HEAP_SIZE as u64, "rw-", heap())
        .file(HEAP - 0x1000, HEAP, 0, "/nowhere")
        .build()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// Options that unpack into this folder.
    fn options(&self) -> Options {
        Options {
            scratch: Some(self.0.path().to_owned()),
            ..Options::default()
        }
    }

    /// The name tells nothing.
    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("core");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, bytes: &[u8]) -> Target {
        open(&self.write(bytes), &self.options()).unwrap()
    }

    fn refused(&self, bytes: &[u8], options: &Options) -> String {
        let result = open(&self.write(bytes), options);
        result.err().expect("refused").to_string()
    }
}

fn notes(target: &Target) -> String {
    let notes = target.notes.all();
    notes.iter().map(|n| n.text.clone() + "\n").collect()
}

fn partial(target: &Target, word: &str) -> bool {
    let is =
        |note: &crate::diag::Note| note.severity == Severity::Partial && note.text.contains(word);
    target.notes.all().iter().any(is)
}

/// Unpacks without a core around it.
fn unpack(format: Format, packed: &[u8]) -> (Vec<u8>, End) {
    let mut out = Vec::new();
    let end = decode(format, packed, |chunk, at| {
        assert!(at <= packed.len());
        out.extend_from_slice(chunk);
        Ok::<(), ()>(())
    });
    (out, end.unwrap())
}

#[test]
fn each_format_opens_as_the_core_itself_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let plain = core();
    for format in ALL {
        let packed = pack(format, &plain);
        assert_eq!(Format::of(&packed), Some(format));
        let target = folder.open(&packed);
        let told = notes(&target);
        assert!(told.contains(" to 1.1 MB in "), "{format:?}: {told}");
        let whole = target.notes.all();
        assert!(
            whole.iter().all(|note| note.severity == Severity::Info),
            "{format:?}: {told}"
        );
        let heap_now = target.memory.bytes(Addr(HEAP), HEAP_SIZE).unwrap();
        assert!(*heap_now == heap(), "{format:?}");
        assert_eq!(target.threads.len(), 1);
        assert_eq!(target.signal.as_ref().unwrap().signo, 11);
        assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 1);
    }
}

#[test]
fn frames_one_behind_the_other_are_one_core() {
    let plain = core();
    let (front, back) = plain.split_at(0x5_4321);
    for format in ALL {
        let mut packed = pack(format, front);
        packed.extend(pack(format, b""));
        if format == Format::Xz {
            packed.extend([0; 8]);
        }
        if matches!(format, Format::Zstd | Format::Lz4) {
            packed.extend([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
        }
        packed.extend(pack(format, back));
        let (out, end) = unpack(format, &packed);
        assert!(out == plain && end == End::Whole, "{format:?}: {end:?}");
        packed.extend([0; 512]);
        assert_eq!(unpack(format, &packed).1, End::Whole, "{format:?}");
        packed.extend(b"something else");
        let (out, end) = unpack(format, &packed);
        assert!(
            out == plain && end == End::Trailing(526),
            "{format:?}: {end:?}"
        );
    }
    let mut pzstd = vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 9, 9, 9, 9];
    pzstd.extend(pack(Format::Zstd, &plain));
    assert_eq!(Format::of(&pzstd), Some(Format::Zstd));
    assert!(unpack(Format::Zstd, &pzstd).0 == plain);
}

#[test]
fn a_packed_core_that_is_cut_gives_what_is_there() {
    let folder = Folder::new();
    let plain = core();
    for format in ALL {
        let packed = pack(format, &plain);
        for tenths in 1..10 {
            let cut = packed.len() * tenths / 10;
            let (out, end) = unpack(format, &packed[..cut]);
            assert_eq!(end, End::Cut, "{format:?} at {tenths}/10");
            assert!(plain.starts_with(&out), "{format:?} at {tenths}/10");
            // At most the block or the xz chunk at the cut is lost.
            let least = (plain.len() * tenths / 10).saturating_sub(300_000);
            assert!(
                out.len() >= least,
                "{format:?} at {tenths}/10: {}",
                out.len()
            );
        }
        for cut in [packed.len() - 1, packed.len() - 9] {
            assert_eq!(unpack(format, &packed[..cut]).1, End::Cut, "{format:?}");
        }
        let target = folder.open(&packed[..packed.len() * 9 / 10]);
        assert!(partial(&target, "the packed file is cut at"), "{format:?}");
        assert!(partial(&target, "the core file is cut"), "{format:?}");
        assert_eq!(target.threads.len(), 1);
        assert_eq!(target.memory.u64(Addr(HEAP)), Ok(0));
        let magic = folder.refused(&packed[..6], &folder.options());
        assert!(magic.contains("cut before anything"), "{magic}");
    }
}

#[test]
fn damage_is_told_and_what_came_before_is_used() {
    let folder = Folder::new();
    let plain = core();
    for format in ALL {
        let sound = pack(format, &plain);
        let mut packed = sound.clone();
        let at = packed.len() * 9 / 10;
        packed[at..at + 64].fill(0xff);
        let (out, end) = unpack(format, &packed);
        assert!(matches!(end, End::Damaged { .. }), "{format:?}: {end:?}");
        assert!(out.len() > plain.len() / 2, "{format:?}: {}", out.len());
        assert!(out[..plain.len() / 2] == plain[..plain.len() / 2]);
        let target = folder.open(&packed);
        assert!(partial(&target, "the packed file is damaged"), "{format:?}");
        assert_eq!(target.threads.len(), 1);
        // The magic is right and nothing else.
        packed.truncate(6);
        packed.resize(1000, 0xee);
        let garbage = folder.refused(&packed, &folder.options());
        assert!(
            garbage.contains("nothing of it can be"),
            "{format:?}: {garbage}"
        );
        let nothing = folder.refused(&pack(format, b""), &folder.options());
        assert!(nothing.contains("there is nothing in it"), "{nothing}");
        let other = folder.refused(&pack(format, b"#!/bin/sh\n"), &folder.options());
        assert!(other.contains("is not an ELF file"), "{other}");
        let mut twice = pack(format, &sound);
        let inner = folder.refused(&twice, &folder.options());
        assert!(inner.contains("is packed; unpack it first"), "{inner}");
        // A byte of the checksum at the end, where the format has one.
        twice.clone_from(&sound);
        let checksum = match format {
            Format::Zstd | Format::Lz4 => twice.len() - 2,
            Format::Gzip => twice.len() - 6,
            Format::Xz => return,
        };
        twice[checksum] ^= 1;
        let (out, end) = unpack(format, &twice);
        assert!(out == plain, "{format:?}");
        assert!(matches!(end, End::Damaged { .. }), "{format:?}: {end:?}");
    }
}

#[test]
fn random_damage_neither_panics_nor_runs_away() {
    let plain = &core()[..0x3_0000];
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    for format in ALL {
        let sound = pack(format, plain);
        let rounds = 400;
        for round in 0..rounds {
            let mut packed = sound.clone();
            // The headers decide most.
            let reach = if round % 2 == 0 { 64 } else { packed.len() };
            for _ in 0..=random.below(6) {
                let at = random.below(reach);
                packed[at] = [0, 0xff, 1, 0x80, random.below(256) as u8][random.below(5)];
            }
            if round % 5 == 0 {
                packed.truncate(random.below(packed.len()));
            }
            let mut len = 0usize;
            let _ = decode(format, &packed, |chunk, _| {
                len += chunk.len();
                // Eight bytes of damage cannot be worth more; a bomb is another test's.
                if len > 256 << 20 { Err(()) } else { Ok(()) }
            });
        }
    }
}

/// A core and then zeros, in pieces of a gigabyte that pack to almost nothing.
fn bomb(gigabytes: usize) -> Vec<u8> {
    // A zstd frame of 8192 blocks that each repeat a zero 131,072 times (RFC 8878, 3.1.1.2).
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
    for index in 1..=8192 {
        let header: u32 = (131_072 << 3) | (1 << 1) | u32::from(index == 8192);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    let mut packed = pack(Format::Zstd, &core());
    for _ in 0..gigabytes {
        packed.extend_from_slice(&frame);
    }
    packed
}

#[test]
fn a_bomb_costs_neither_room_nor_memory() {
    let folder = Folder::new();
    let target = folder.open(&bomb(10));
    let told = notes(&target);
    assert!(told.contains(" to 11 GB in "), "{told}");
    assert_eq!(target.threads.len(), 1);
    let file = tempfile::tempfile().unwrap();
    let mut out = Sparse::new(&file);
    let end = decode(Format::Zstd, &bomb(2), |chunk, _| out.write(chunk));
    assert_eq!(end.unwrap(), End::Whole);
    out.finish().unwrap();
    let meta = file.metadata().unwrap();
    assert!(meta.len() > 2_000_000_000 && meta.blocks() * 512 < 2_000_000);
}

#[test]
fn what_is_allowed_is_held() {
    let folder = Folder::new();
    let limited = Options {
        max_unpacked: Some(3_000_000_000),
        ..folder.options()
    };
    let refused = folder.refused(&bomb(10), &limited);
    for word in ["more than the 3.0 GB", "zstd -d", "3.0 GB came out of"] {
        assert!(refused.contains(word), "{refused}");
    }
    const { assert!(MOST_UNPACKED > 60_000_000_000) };
}

#[test]
fn no_room_is_told_with_sizes() {
    // /dev/full has no room, and every Linux has it; /proc has no files at all.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let full = full.unwrap();
    let mut out = Sparse::new(&full);
    let error = out.write(&[1; 100]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let scratch = crate::target::scratch::Scratch::create(None).unwrap();
    let state = super::State {
        format: Format::Xz,
        done: 1_000_000,
        total: 4_000_000,
        len: 20_000_000,
    };
    let said = state.refusal(&super::Stop::NoRoom, &scratch, 0);
    for word in [
        "/tmp",
        "20 MB came out of the first 1.0 MB of 4.0 MB",
        "xz -d",
        "--scratch",
    ] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn unpacking_tells_how_far_it_is_and_can_be_interrupted() {
    let folder = Folder::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = told.clone();
    let options = Options {
        progress: Progress::new(move |step| {
            let mut told = hear.lock().unwrap();
            told.push((step.what.to_owned(), step.done, step.total));
        }),
        ..folder.options()
    };
    let packed = bomb(2);
    open(&folder.write(&packed), &options).unwrap();
    let told = told.lock().unwrap();
    let total = packed.len() as u64;
    assert!(told.len() > 1, "{told:?}");
    assert!(told.windows(2).all(|two| two[0].1 <= two[1].1), "{told:?}");
    let (what, done, all) = told.last().unwrap();
    assert!(what.starts_with("unpacking /"), "{what}");
    assert_eq!((*done, *all), (total, Some(total)));

    let cancelled = folder.options();
    let cancel = cancelled.cancel.clone();
    let heard = Arc::new(AtomicU64::new(0));
    let done = heard.clone();
    let options = Options {
        progress: Progress::new(move |step| {
            done.store(step.done, Ordering::Relaxed);
            cancel.cancel();
        }),
        ..cancelled
    };
    let refused = folder.refused(&packed, &options);
    assert!(refused.contains("was interrupted"), "{refused}");
    assert!(heard.load(Ordering::Relaxed) < total / 2);
}
