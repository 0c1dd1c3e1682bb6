//! Damage to CPython's structures: every field that is followed on the way to a frame.

use super::damage::Damage;
use super::victim::{Thread, Victim};

/// An address that nothing is mapped at, aligned as objects are.
const NOWHERE: u64 = 0x1234_5678_9ab0;
/// Bytes of a page.
const PAGE: u64 = 4096;

/// An address that no x86-64 process can have.
const IMPOSSIBLE: u64 = 0x4141_4141_4141_4141;

/// A damage to fields of the struct at `base`; fields this version has not are left out.
fn fields(victim: &Victim, base: u64, list: &[(&str, &str, &str, u64)]) -> Vec<Damage> {
    let damage = |(group, field, how, value): &(&str, &str, &str, u64)| {
        let offset = victim.field(group, field)?;
        let name = format!("{group}.{field} is {how}");
        victim.core.place(base + offset)?;
        let damage = Damage::new(name).poke(&victim.core, base + offset, *value);
        let ends = match (*group, *field) {
            // A thread that runs no Python code.
            ("thread", "frame") => true,
            // Only from 3.11 on the outermost frame of a chain can be told.
            ("frame", "previous") => victim.field("frame", "owner").is_none(),
            _ => false,
        };
        Some(if ends && *value == 0 {
            damage.silent()
        } else {
            damage
        })
    };
    list.iter().filter_map(damage).collect()
}

/// Frames, and the code of one of them.
pub(super) fn frames(victim: &Victim) -> Vec<Damage> {
    let deep = victim.deepest();
    let middle = deep.frames.len() / 2;
    let (inner, frame) = (&deep.frames[middle - 1], &deep.frames[middle]);
    let first = &deep.frames[0];
    let mut others = victim.threads.iter().filter(|t| t.tstate != deep.tstate);
    let other = others.find(|t| t.frames.len() == deep.frames.len());
    let foreign = &other.expect("another worker").frames[middle];
    let mut list = fields(
        victim,
        frame.addr,
        &[
            ("frame", "previous", "the frame itself", frame.addr),
            ("frame", "previous", "its callee", inner.addr),
            ("frame", "previous", "the innermost frame", first.addr),
            ("frame", "previous", "nowhere", NOWHERE),
            ("frame", "previous", "impossible", IMPOSSIBLE),
            ("frame", "previous", "unaligned", frame.addr + 1),
            ("frame", "previous", "another thread's", foreign.addr),
            ("frame", "previous", "its code", frame.code),
            ("frame", "previous", "NULL", 0),
            ("frame", "code", "nowhere", NOWHERE),
            ("frame", "code", "impossible", IMPOSSIBLE),
            ("frame", "code", "NULL", 0),
            ("frame", "code", "the frame", frame.addr),
            ("frame", "instruction", "impossible", IMPOSSIBLE),
            ("frame", "instruction", "ff", u64::MAX),
            ("frame", "owner", "ff", u64::MAX),
            ("frame", "owner", "an interpreter's", 3),
            ("frame", "function", "impossible", IMPOSSIBLE),
            ("frame", "stack_top", "impossible", IMPOSSIBLE),
        ],
    );
    let list_of_code = ["name", "qualname", "filename", "linetable", "bytecode"];
    for field in list_of_code {
        list.extend(fields(
            victim,
            frame.code,
            &[
                ("code", field, "nowhere", NOWHERE),
                ("code", field, "the code itself", frame.code),
                ("code", field, "NULL", 0),
            ],
        ));
        let object = victim
            .field("code", field)
            .and_then(|at| victim.core.peek(frame.code + at));
        let object = object.filter(|object| victim.core.place(*object).is_some());
        for (how, size) in [
            ("2^40", 1u64 << 40),
            ("2^60", 1 << 60),
            ("2^31", 1 << 31),
            ("-1", u64::MAX),
        ] {
            let Some(object) = object else { continue };
            let name = format!("the size of code.{field} is {how}");
            list.push(Damage::new(name).poke(&victim.core, object + 16, size));
        }
        list.extend(object.map(|object| {
            let name = format!("the content of code.{field} is ff");
            Damage::new(name).write(victim.core.offset(object + 32), &[0xff; 32])
        }));
    }
    list.extend(fields(
        victim,
        frame.code,
        &[
            ("object", "ob_type", "nowhere", NOWHERE),
            ("object", "ob_type", "itself", frame.code),
            ("object", "ob_size", "2^60", 1 << 60),
            ("code", "firstlineno", "ff", u64::MAX),
            ("code", "flags", "ff", u64::MAX),
            ("code", "firsttraceable", "beyond the frame", 0x7c),
            ("code", "firsttraceable", "huge", 0x5a00_0000),
            ("code", "firsttraceable", "ff", u64::MAX),
            ("code", "tlbc", "impossible", IMPOSSIBLE),
        ],
    ));
    list.extend(locals(victim, deep));
    // The data stack, up to 3.10 objects.
    let page = victim.core.offset(first.addr & !(PAGE - 1));
    list.push(Damage::new("a page of frames is zero").write(page, &[0; PAGE as usize]));
    list
}

/// Sizes of the values of local variables, which no stack depends on.
fn locals(victim: &Victim, thread: &Thread) -> Vec<Damage> {
    let core = &victim.core;
    let sizes = [
        ("2^28", 1u64 << 28),
        ("2^31", 1 << 31),
        ("2^60", 1 << 60),
        ("-1", u64::MAX),
    ];
    let damage = |(name, size): (&str, u64)| {
        let mut damage = Damage::new(format!("the sizes of all locals are {name}"));
        for frame in &thread.frames {
            let locals = frame.addr + victim.at("frame", "localsplus");
            let owned = |at: u64| {
                frame
                    .made_of
                    .iter()
                    .any(|(a, n)| *a < at.wrapping_add(24) && at < a + n)
            };
            let objects = (0..8)
                .filter_map(|index| core.peek(locals + index * 8))
                .map(|at| at & !7);
            for object in objects
                .filter(|object| core.place(object.wrapping_add(24)).is_some() && !owned(*object))
            {
                damage = damage.poke(core, object + 16, size);
            }
        }
        damage
    };
    sizes.map(damage).into_iter().collect()
}

/// Thread states.
pub(super) fn threads(victim: &Victim) -> Vec<Damage> {
    let thread = victim.threads[victim.threads.len() / 2].tstate;
    let mut list = fields(
        victim,
        thread,
        &[
            ("thread", "next", "impossible", IMPOSSIBLE),
            ("thread", "next", "nowhere", NOWHERE),
            ("thread", "next", "itself", thread),
            ("thread", "next", "NULL", 0),
            ("thread", "next", "the interpreter", victim.interpreter),
            ("thread", "prev", "impossible", IMPOSSIBLE),
            ("thread", "interp", "impossible", IMPOSSIBLE),
            ("thread", "interp", "NULL", 0),
            ("thread", "frame", "impossible", IMPOSSIBLE),
            ("thread", "frame", "NULL", 0),
            ("thread", "cframe", "impossible", IMPOSSIBLE),
            ("thread", "thread_id", "impossible", IMPOSSIBLE),
            ("thread", "thread_id", "0", 0),
            ("thread", "native_thread_id", "0", 0),
            ("thread", "native_thread_id", "ff", u64::MAX),
            ("thread", "status", "ff", u64::MAX),
            ("thread", "status", "cleared and finalized", 0x1ff),
            ("thread", "base_frame", "impossible", IMPOSSIBLE),
            ("thread", "datastack_chunk", "impossible", IMPOSSIBLE),
        ],
    );
    // The list is empty then, and the thread that would tell so is lost.
    let first = victim
        .threads
        .iter()
        .map(|t| t.tstate)
        .find(|tstate| victim.core.peek(tstate + victim.at("thread", "next")) == Some(0));
    let head = victim.interpreter + victim.at("interpreter", "threads");
    let size = victim.at("thread", "size") as usize;
    let zero = |name: &str, at: u64, size: usize| {
        Damage::new(name).write(victim.core.offset(at), &vec![0; size])
    };
    if let Some(first) = first {
        let damage = zero(
            "the first thread state is zero and the list empty",
            first,
            size,
        );
        list.push(damage.poke(&victim.core, head, 0));
    }
    // Of its neighbours each lacks one that refers back to it.
    let damage = zero("a thread state is zero and the list empty", thread, size);
    list.push(damage.poke(&victim.core, head, 0));
    let links = victim.at("thread", "interp") as usize + 8;
    list.push(zero(
        "a thread state is zero behind its links",
        thread + links as u64,
        size - links,
    ));
    let newest = victim.threads.iter().map(|t| t.tstate).find(|tstate| {
        victim
            .core
            .peek(victim.interpreter + victim.at("interpreter", "threads"))
            == Some(*tstate)
    });
    if let Some(newest) = newest {
        list.extend(fields(
            victim,
            newest,
            &[("thread", "interp", "nowhere (newest)", NOWHERE)],
        ));
    }
    list
}

/// Interpreters and the runtime.
pub(super) fn runtime(victim: &Victim) -> Vec<Damage> {
    let (interpreter, runtime) = (victim.interpreter, victim.runtime);
    let mut list = fields(
        victim,
        interpreter,
        &[
            ("interpreter", "next", "itself", interpreter),
            ("interpreter", "next", "impossible", IMPOSSIBLE),
            ("interpreter", "threads", "impossible", IMPOSSIBLE),
            ("interpreter", "threads", "NULL", 0),
            ("interpreter", "threads", "itself", interpreter),
            ("interpreter", "id", "ff", u64::MAX),
            ("interpreter", "modules", "impossible", IMPOSSIBLE),
            ("interpreter", "sysdict", "impossible", IMPOSSIBLE),
            ("interpreter", "sysdict", "NULL", 0),
            ("interpreter", "builtins", "impossible", IMPOSSIBLE),
            ("interpreter", "gil", "impossible", IMPOSSIBLE),
        ],
    );
    list.extend(fields(
        victim,
        runtime,
        &[
            ("runtime", "interpreters_head", "impossible", IMPOSSIBLE),
            ("runtime", "interpreters_head", "NULL", 0),
            ("runtime", "interpreters_head", "the runtime", runtime),
            ("runtime", "interpreters_main", "impossible", IMPOSSIBLE),
            ("runtime", "finalizing", "impossible", IMPOSSIBLE),
            ("runtime", "auto_interpreter", "impossible", IMPOSSIBLE),
            ("runtime", "gil", "ff", u64::MAX),
            ("runtime", "tstate_current", "impossible", IMPOSSIBLE),
        ],
    ));
    let core = &victim.core;
    for name in ["modules", "sysdict"] {
        let dict = core
            .peek(interpreter + victim.at("interpreter", name))
            .expect("a dict");
        list.extend(fields(
            victim,
            dict,
            &[
                ("dict", "keys", "impossible", IMPOSSIBLE),
                ("dict", "used", "2^60", 1 << 60),
            ],
        ));
        let keys = core.peek(dict + victim.at("dict", "keys")).expect("keys");
        let damage = Damage::new(format!("the keys of {name} are ff"));
        list.push(damage.write(core.offset(keys + 8), &[0xff; 24]));
    }
    list.extend(hexversion(victim));
    list.extend(debug_offsets(victim));
    list
}

/// The number that says which version it is.
fn hexversion(victim: &Victim) -> Vec<Damage> {
    let core = &victim.core;
    // An integer of one digit: its size (3.12 and later: a tag of the same meaning), and that.
    let is_it =
        |at: &usize| matches!(core.word(*at), 1 | 8) && core.long(*at + 8) == victim.hexversion;
    let words = core
        .loads()
        .flat_map(|load| (load.offset..load.offset + load.size - 8).step_by(8));
    let places: Vec<usize> = words.filter(is_it).collect();
    let damage = |(name, at, bytes): (&str, usize, &[u8])| {
        let damage = Damage::new(format!("sys.hexversion {name}"));
        places
            .iter()
            .fold(damage, |damage, place| damage.write(place + at, bytes))
    };
    let list: [(&str, usize, &[u8]); 4] = [
        ("has no digit", 0, &[0]),
        ("is 0", 8, &[0; 4]),
        ("says 3.85", 10, &[85]),
        (
            "says 3.10 or 3.11",
            10,
            &[10 + u8::from(victim.hexversion >> 16 & 0xff == 10)],
        ),
    ];
    list.map(damage).into_iter().collect()
}

/// What 3.13 and later publish about themselves at the start of the runtime.
fn debug_offsets(victim: &Victim) -> Vec<Damage> {
    let start = victim.core.offset(victim.runtime);
    if !victim.core.bytes[start..].starts_with(b"xdebugpy") {
        return Vec::new();
    }
    // The cookie, the version, the free-threaded mark, then sizes and offsets.
    let head = victim.at("runtime", "interpreters_head") as usize;
    let places: [(&str, usize, Vec<u8>); 7] = [
        ("cookie is garbage", 0, vec![b'?'; 8]),
        ("version is 3.99", 8, vec![0, 0, 0x63, 3]),
        ("version is 3.11", 8, vec![0, 0, 0x0b, 3]),
        ("free-threaded mark is ff", 16, vec![0xff; 8]),
        ("offsets are zero", 24, vec![0; 400]),
        ("offsets are garbage", 24, vec![0x41; 400]),
        ("everything is zero", 0, vec![0; 400.min(head)]),
    ];
    let damage = |(name, at, bytes): (&str, usize, Vec<u8>)| {
        Damage::new(format!("debug offsets: {name}")).write(start + at, &bytes)
    };
    let mut list: Vec<Damage> = places.map(damage).into_iter().collect();
    list.extend((24..head.min(584)).step_by(8).map(|at| {
        let byte = victim.core.bytes[start + at] ^ 0x5a;
        Damage::new(format!("debug offsets: one byte at {at}")).write(start + at, &[byte])
    }));
    list
}
