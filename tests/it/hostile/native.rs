//! Damage to what native stacks and the list of files depend on: the loader's list, the ELF
//! headers in memory, the C stacks. Python frames need none of it, beside what lies on C stacks.

use super::damage::Damage;
use super::victim::Victim;

const PT_DYNAMIC: u32 = 2;
const DT_DEBUG: u64 = 21;
const AUXV: u32 = 6;
const AT_PHDR: u64 = 3;
const PRSTATUS: u32 = 1;

/// The loader's list of files (`struct r_debug`, `struct link_map`).
pub(super) fn loader(victim: &Victim) -> Vec<Damage> {
    let core = &victim.core;
    let auxv = core.notes_of(AUXV)[0];
    let mut pairs = (auxv.desc..auxv.desc + auxv.size).step_by(16);
    let phdr = pairs
        .find(|at| core.word(*at) == AT_PHDR)
        .map(|at| core.word(at + 8));
    let phdr = phdr.expect("AT_PHDR");
    let mut list = vec![
        Damage::new("the executable's ELF header is zero")
            .write(core.offset(phdr & !0xfff), &[0; 64]),
        Damage::new("the executable's program headers are ff")
            .write(core.offset(phdr), &[0xff; 560]),
    ];
    let header = (0..16)
        .map(|i| core.offset(phdr + i * 56))
        .find(|at| core.long(*at) == PT_DYNAMIC);
    let header = header.expect("PT_DYNAMIC");
    // PT_PHDR comes first and says where the headers themselves are linked to.
    let bias = phdr - core.word(core.offset(phdr) + 16);
    let dynamic = bias + core.word(header + 16);
    let entry = (0..64)
        .map(|i| dynamic + i * 16)
        .find(|at| core.peek(*at) == Some(DT_DEBUG));
    let entry = entry.expect("DT_DEBUG");
    let debug = core.peek(entry + 8).expect("r_debug");
    let map = core.peek(debug + 8).expect("a link_map");
    let second = core.peek(map + 24).expect("another");
    for (name, at, value) in [
        ("DT_DEBUG is garbage", entry + 8, 0x4141_4141_4141_4141),
        ("r_debug.r_map is garbage", debug + 8, 0x4141_4141_4141_4141),
        ("r_debug.r_map is itself", debug + 8, debug),
        ("link_map.l_next is itself", second + 24, second),
        ("link_map.l_next is the first", second + 24, map),
        ("link_map.l_next is garbage", second + 24, 0x4141_4141_4141),
        ("link_map.l_addr is garbage", second, 0x4141_4141_4141_4141),
        (
            "link_map.l_name is garbage",
            second + 8,
            0x4141_4141_4141_4141,
        ),
        ("link_map.l_name is NULL", second + 8, 0),
        (
            "link_map.l_ld is garbage",
            second + 16,
            0x4141_4141_4141_4141,
        ),
    ] {
        list.push(Damage::new(name).poke(core, at, value));
    }
    list
}

/// The first page of each file, which the kernel dumps for its build-id.
pub(super) fn headers(victim: &Victim) -> Vec<Damage> {
    let core = &victim.core;
    let starts: Vec<usize> = core
        .loads()
        .map(|load| load.offset)
        .filter(|at| core.bytes[*at..].starts_with(b"\x7fELF"))
        .collect();
    let every = |name: &str, at: usize, bytes: &[u8]| {
        starts.iter().fold(Damage::new(name), |damage, start| {
            damage.write(start + at, bytes)
        })
    };
    let ids = starts.iter().filter_map(|start| {
        let page = &core.bytes[*start..*start + 4096];
        let at = page.windows(8).position(|w| w == b"\x03\0\0\0GNU\0")?;
        Some(start + at + 8)
    });
    let flipped = ids.fold(Damage::new("all build-ids are others"), |damage, at| {
        damage.write(at, &[0x5a; 20])
    });
    vec![
        every("all ELF headers in memory are zero", 0, &[0; 64]),
        every("all program headers in memory are ff", 64, &[0xff; 500]),
        every("e_phnum of all files is ffff", 56, &[0xff; 2]),
        flipped,
    ]
}

/// Symbol and unwind tables of all files, in a core that has their pages.
pub(super) fn tables(victim: &Victim) -> Vec<Damage> {
    const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
    const DYNAMIC_TAGS: [(u64, &str); 3] = [
        (5, "DT_STRTAB"),
        (6, "DT_SYMTAB"),
        (0x6fff_fef5, "DT_GNU_HASH"),
    ];
    let core = &victim.core;
    let mut places: Vec<(&str, usize)> = Vec::new();
    for load in core.loads() {
        let start = load.offset;
        if !core.bytes[start..].starts_with(b"\x7fELF") {
            continue;
        }
        let headers = (0..usize::from(core.half(start + 56))).map(|i| start + 64 + i * 56);
        let headers: Vec<usize> = headers.collect();
        let find = |kind| headers.iter().find(|at| core.long(**at) == kind).copied();
        let first = find(1).map_or(0, |at| core.word(at + 16) & !0xfff);
        let address = |header: usize| load.addr - first + core.word(header + 16);
        if let Some(at) = find(PT_GNU_EH_FRAME).and_then(|header| core.place(address(header))) {
            places.push((".eh_frame_hdr", at));
            let frames = at as i64 + 4 + i64::from(core.long(at + 4) as i32);
            places.push((".eh_frame", frames as usize));
        }
        let Some(dynamic) = find(PT_DYNAMIC).map(address) else {
            continue;
        };
        places.extend(core.place(dynamic).map(|at| ("the dynamic section", at)));
        for entry in (0..64).map(|i| dynamic + i * 16) {
            let tag = DYNAMIC_TAGS
                .iter()
                .find(|(tag, _)| core.peek(entry) == Some(*tag));
            let table = core.peek(entry + 8).and_then(|at| core.place(at));
            places.extend(tag.zip(table).map(|((_, name), at)| (*name, at)));
        }
    }
    let mut names: Vec<&str> = places.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let random: Vec<u8> = super::noise::random(9).take(400).collect();
    let contents: [(&str, &[u8]); 4] = [
        ("zero", &[0; 400]),
        ("ff", &[0xff; 400]),
        ("random", &random),
        ("one huge word", &[0xff, 0xff, 0xff, 0x7f]),
    ];
    let mut list = Vec::new();
    for name in names {
        for (how, bytes) in contents {
            let of_name = places.iter().filter(|(other, _)| *other == name);
            let damage = Damage::new(format!("{name} is {how}"));
            list.push(of_name.fold(damage, |damage, (_, at)| damage.write(*at, bytes)));
        }
    }
    list
}

/// The C stacks.
pub(super) fn stacks(victim: &Victim) -> Vec<Damage> {
    const RSP: usize = 19;
    const RBP: usize = 4;
    let core = &victim.core;
    let threads = core.notes_of(PRSTATUS);
    let stack = |at: usize| {
        let sp = core.word(threads[at].desc + 112 + RSP * 8);
        let load = core.load_of(sp).expect("the stack is in the core");
        let place = core.offset(sp);
        (sp, place, load.offset + load.size - place)
    };
    let (sp, at, len) = stack(threads.len() / 2);
    let len = len.min(64 << 10);
    let words = |word: u64| word.to_le_bytes().repeat(len / 8);
    let random: Vec<u8> = super::noise::random(7).take(len).collect();
    let registers = threads[threads.len() / 2].desc + 112;
    vec![
        Damage::new("a C stack is zero").write(at, &words(0)),
        Damage::new("a C stack points to itself").write(at, &words(sp)),
        Damage::new("a C stack is ff").write(at, &words(u64::MAX)),
        Damage::new("a C stack is random").write(at, &random),
        Damage::new("a thread's rsp is odd").write(registers + RSP * 8, &(sp + 3).to_le_bytes()),
        Damage::new("a thread's rsp is ff").write(registers + RSP * 8, &[0xff; 8]),
        Damage::new("a thread's rbp is garbage").write(registers + RBP * 8, &[0x41; 8]),
        Damage::new("a thread's rip is garbage").write(registers + 16 * 8, &[0x41; 8]),
        Damage::new("a thread's rip is its stack").write(registers + 16 * 8, &sp.to_le_bytes()),
        Damage::new("a thread's fs_base is garbage").write(registers + 21 * 8, &[0x41; 8]),
    ]
}
