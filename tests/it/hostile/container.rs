//! Damage to the core as a file: its end, its ELF header, its program headers.

use super::damage::Damage;
use super::victim::Victim;
use crate::harness::corefile::Load;

/// A word that is no address, no size and no offset.
const GARBAGE: u64 = 0x4141_4141_4141_4141;

/// The file's end is missing.
pub(super) fn cuts(victim: &Victim) -> Vec<Damage> {
    let len = victim.core.bytes.len();
    let notes = victim.core.notes_range();
    let table_end = notes.start;
    let percents =
        [99, 95, 90, 75, 50, 25, 10, 1].map(|p| (format!("cut at {p} %"), len / 100 * p));
    let places = [
        ("cut by one byte", len - 1),
        ("cut by one page", len - 4096),
        ("cut behind the notes", notes.end),
        (
            "cut within the notes",
            notes.start + (notes.end - notes.start) / 2,
        ),
        ("cut behind the program headers", table_end),
        ("cut within the program headers", 64 + (table_end - 64) / 2),
        ("cut behind the ELF header", 64),
        ("cut within the ELF header", 40),
        ("empty", 0),
    ];
    let places = places.map(|(name, at)| (name.to_owned(), at));
    let all = percents.into_iter().chain(places);
    all.map(|(name, at)| Damage::new(name).cut(at)).collect()
}

/// A field of the ELF header is changed.
pub(super) fn elf_header(victim: &Victim) -> Vec<Damage> {
    let count = victim.core.half(56) + 40;
    let fields: [(&str, usize, &[u8]); 15] = [
        ("ELF class is 32 bits", 4, &[1]),
        ("ELF class is 0", 4, &[0]),
        ("ELF data is big-endian", 5, &[2]),
        ("ELF version is 9", 6, &[9]),
        ("ELF type is an executable's", 16, &[2]),
        ("ELF type is ffff", 16, &[0xff, 0xff]),
        ("ELF machine is 0", 18, &[0, 0]),
        ("ELF phoff is garbage", 32, &GARBAGE.to_le_bytes()),
        ("ELF phoff is 0", 32, &[0; 8]),
        ("ELF shoff is garbage", 40, &GARBAGE.to_le_bytes()),
        ("ELF phentsize is 0", 54, &[0, 0]),
        ("ELF phentsize is ffff", 54, &[0xff, 0xff]),
        ("ELF phnum is ffff", 56, &[0xff, 0xff]),
        ("ELF phnum is 0", 56, &[0, 0]),
        ("ELF phnum is 40 more", 56, &count.to_le_bytes()),
    ];
    let damage = |(name, at, bytes): (&str, usize, &[u8])| Damage::new(name).write(at, bytes);
    fields.map(damage).into_iter().collect()
}

/// A field of the program header that leads to the deepest stack's frames, or to the notes.
pub(super) fn program_headers(victim: &Victim) -> Vec<Damage> {
    let core = &victim.core;
    let frame = victim.deepest().frames[0].addr;
    let load: Load = *core.load_of(frame).expect("the frame is in the core");
    let hidden = load.offset..load.offset + load.size;
    let note = (0..usize::from(core.half(56))).map(|i| 64 + i * 56);
    let note = note
        .into_iter()
        .find(|at| core.long(*at) == 4)
        .expect("a PT_NOTE");
    let (huge, garbage) = ((1u64 << 60).to_le_bytes(), GARBAGE.to_le_bytes());
    let header = load.header;
    let next = core
        .loads()
        .find(|other| other.addr > load.addr)
        .expect("another");
    vec![
        Damage::new("segment type is 0")
            .write(header, &[0; 4])
            .hide(hidden.clone()),
        Damage::new("segment flags are 0").write(header + 4, &[0; 4]),
        Damage::new("segment offset is garbage")
            .write(header + 8, &garbage)
            .hide(hidden.clone()),
        Damage::new("segment address is garbage")
            .write(header + 16, &garbage)
            .hide(hidden.clone()),
        Damage::new("segment has 2^60 bytes in the file").write(header + 32, &huge),
        Damage::new("segment has no bytes in the file")
            .write(header + 32, &[0; 8])
            .hide(hidden.clone()),
        Damage::new("segment has 2^60 bytes in memory").write(header + 40, &huge),
        Damage::new("segment has no bytes in memory")
            .write(header + 40, &[0; 8])
            .hide(hidden.clone()),
        Damage::new("segment overlaps the one before")
            .write(next.header + 16, &(load.addr + 4096).to_le_bytes())
            .hide(hidden)
            .hide(next.offset..next.offset + next.size),
        Damage::new("PT_NOTE type is 0").write(note, &[0; 4]),
        Damage::new("PT_NOTE offset is garbage").write(note + 8, &garbage),
        Damage::new("PT_NOTE has 2^60 bytes").write(note + 32, &huge),
        Damage::new("PT_NOTE has no bytes").write(note + 32, &[0; 8]),
        Damage::new("PT_NOTE has 20 bytes").write(note + 32, &20u64.to_le_bytes()),
    ]
}
