//! Damage to the notes of a core. The memory is whole, so every Python frame must be kept.

use super::damage::Damage;
use super::victim::Victim;
use crate::harness::corefile::NoteAt;
use std::path::Path;

const PRSTATUS: u32 = 1;
const PRPSINFO: u32 = 3;
const AUXV: u32 = 6;
const SIGINFO: u32 = 0x5349_4749;
const FILE: u32 = 0x4649_4c45;

/// Where PRSTATUS has the registers, and how many bytes of them (`struct elf_prstatus`).
const REGISTERS: (usize, usize) = (112, 27 * 8);

/// Every damage of a note; `fifo` is a FIFO with a short path.
pub(super) fn all(victim: &Victim, fifo: &Path) -> Vec<Damage> {
    let core = &victim.core;
    let mut list = headers(victim);
    let threads = core.notes_of(PRSTATUS);
    let every = |name: &str, at: usize, bytes: &[u8]| {
        let damage = Damage::new(name);
        threads
            .iter()
            .fold(damage, |damage, note| damage.write(note.desc + at, bytes))
    };
    let first = threads[0].desc;
    list.extend([
        every("registers are zero", REGISTERS.0, &[0; REGISTERS.1]),
        every("registers are garbage", REGISTERS.0, &[0xa5; REGISTERS.1]),
        every("registers are ff", REGISTERS.0, &[0xff; REGISTERS.1]),
        every("all LWP ids are 0", 32, &[0; 4]),
        every("all LWP ids are the same", 32, &7u32.to_le_bytes()),
        Damage::new("one LWP id is negative").write(first + 32, &[0xff; 4]),
        Damage::new("the signal is garbage").write(first, &[0xee; 14]),
    ]);
    let signal = core.notes_of(SIGINFO)[0].desc;
    list.push(Damage::new("SIGINFO is garbage").write(signal, &[0xee; 128]));
    let auxv = core.notes_of(AUXV)[0];
    list.extend([
        Damage::new("auxv is garbage").write(auxv.desc, &vec![0x5a; auxv.size]),
        Damage::new("auxv is zero").write(auxv.desc, &vec![0; auxv.size]),
    ]);
    list.extend([3u64, 5, 7, 9, 25, 31].map(|kind| {
        let mut pairs = (auxv.desc..auxv.desc + auxv.size).step_by(16);
        let pair = pairs
            .find(|at| core.word(*at) == kind)
            .expect("such an entry");
        Damage::new(format!("auxv entry {kind} is garbage")).write(pair + 8, &[0x5a; 8])
    }));
    list.extend(files(victim, core.notes_of(FILE)[0], fifo));
    list
}

/// Headers of notes.
fn headers(victim: &Victim) -> Vec<Damage> {
    let core = &victim.core;
    let mut list = Vec::new();
    for (name, kind) in [
        ("PRSTATUS", PRSTATUS),
        ("PRPSINFO", PRPSINFO),
        ("AUXV", AUXV),
        ("SIGINFO", SIGINFO),
        ("NT_FILE", FILE),
    ] {
        let notes = core.notes_of(kind);
        let one = notes[notes.len() / 2].header;
        let missing = Damage::new(format!("{name} is missing"));
        list.extend([
            notes.iter().fold(missing, |damage, note| {
                damage.write(note.header + 8, &[77, 0, 0, 0])
            }),
            Damage::new(format!("{name} sizes are ffffffff")).write(one, &[0xff; 8]),
            Damage::new(format!("{name} size is 40")).write(one + 4, &40u32.to_le_bytes()),
            Damage::new(format!("{name} size is 0")).write(one + 4, &[0; 4]),
            Damage::new(format!("{name} owner is long")).write(one, &0x7000u32.to_le_bytes()),
        ]);
    }
    let range = core.notes_range();
    list.push(Damage::new("all notes are zero").write(range.start, &vec![0; range.len()]));
    list.push(Damage::new("all notes are ff").write(range.start, &vec![0xff; range.len()]));
    list
}

/// The table of mapped files.
fn files(victim: &Victim, note: NoteAt, fifo: &Path) -> Vec<Damage> {
    let core = &victim.core;
    let count = core.word(note.desc);
    let table = note.desc + 16;
    let entries = || (0..count as usize).map(|index| table + index * 24);
    let every = |name: &str, at: usize, word: u64| {
        let damage = Damage::new(format!("NT_FILE: {name}"));
        entries().fold(damage, |damage, entry| {
            damage.write(entry + at, &word.to_le_bytes())
        })
    };
    let head = |name: &str, at: usize, word: u64| {
        Damage::new(format!("NT_FILE: {name}")).write(note.desc + at, &word.to_le_bytes())
    };
    let names_at = table + count as usize * 24;
    let names_end = note.desc + note.size;
    let mut list = vec![
        head("count 2^60", 0, 1 << 60),
        head("count 1,000 more", 0, count + 1000),
        head("count 0", 0, 0),
        head("page size 0", 8, 0),
        head("page size 2^60", 8, 1 << 60),
        every("starts are garbage", 0, 0x4141_4141_4141_4141),
        every("ends are 0", 8, 0),
        every("offsets are 2^60", 16, 1 << 60),
        Damage::new("NT_FILE: names have no end")
            .write(names_at, &vec![b'/'; names_end - names_at]),
    ];
    for target in [
        fifo.to_str().expect("UTF-8"),
        "/dev/zero",
        "/dev/tty",
        "/etc/passwd",
        "/proc/kmsg",
    ] {
        let mut damage = Damage::new(format!("NT_FILE: every file is {}", &target[..5]));
        let mut at = names_at;
        while at < names_end {
            let len = core.bytes[at..names_end]
                .iter()
                .position(|&b| b == 0)
                .unwrap_or(0);
            if len >= target.len() {
                let padded = format!("{}{target}", "/".repeat(len - target.len()));
                damage = damage.write(at, padded.as_bytes());
            }
            at += len + 1;
        }
        list.push(damage);
    }
    list
}
