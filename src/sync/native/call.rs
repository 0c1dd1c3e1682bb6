//! Which function of the C library or of C++ a thread is blocked in. Its name is exported, so that
//! a stripped library has it, too. Where its slow half is a function of its own without a name, the
//! exported one jumps there, and the caller's call instruction says what was called.

use crate::addr::{Addr, Pc};
use crate::bytes;
use crate::native::Process;
use crate::sync::View;
use crate::unwind::{NativeFrame, Trust};
use iced_x86::{Decoder, DecoderOptions, FlowControl, OpKind};
use rustc_hash::FxHashMap;

/// How many frames are looked at: these functions call little before they ask the kernel.
const FRAMES: usize = 10;

/// The most code of one function that is looked through for jumps, in bytes.
const MOST_CODE: u64 = 8 << 10;

/// What a function waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sync) enum Family {
    Mutex,
    RwLock,
    Condition,
    Semaphore,
    Barrier,
    Join,
    Once,
    Guard,
}

/// The functions that are known. Other names that begin like these are those of their halves.
const NAMES: &[(&str, Family)] = &[
    ("pthread_mutex_lock", Family::Mutex),
    ("pthread_mutex_timedlock", Family::Mutex),
    ("pthread_mutex_clocklock", Family::Mutex),
    ("pthread_rwlock_rdlock", Family::RwLock),
    ("pthread_rwlock_timedrdlock", Family::RwLock),
    ("pthread_rwlock_clockrdlock", Family::RwLock),
    ("pthread_rwlock_wrlock", Family::RwLock),
    ("pthread_rwlock_timedwrlock", Family::RwLock),
    ("pthread_rwlock_clockwrlock", Family::RwLock),
    ("pthread_cond_wait", Family::Condition),
    ("pthread_cond_timedwait", Family::Condition),
    ("pthread_cond_clockwait", Family::Condition),
    ("sem_wait", Family::Semaphore),
    ("sem_timedwait", Family::Semaphore),
    ("sem_clockwait", Family::Semaphore),
    ("pthread_barrier_wait", Family::Barrier),
    ("pthread_join", Family::Join),
    ("pthread_timedjoin_np", Family::Join),
    ("pthread_clockjoin_np", Family::Join),
    ("pthread_once", Family::Once),
    ("__cxa_guard_acquire", Family::Guard),
];

/// A call of such a function that has not come back.
#[derive(Debug)]
pub(in crate::sync) struct Call {
    pub(in crate::sync) family: Family,
    /// The position of the function's own frame in the thread's native stack, innermost first.
    pub(super) frame: usize,
}

impl Call {
    /// The innermost such call of thread `id` (gdb number).
    pub(in crate::sync) fn of(view: &View<'_>, id: usize) -> Option<Call> {
        let process = view.process;
        let stack = process.stack(id)?;
        let image = |frame: &NativeFrame| process.images.index_at(frame.pc.lookup());
        let library = image(stack.frames.first()?)?;
        for (position, frame) in stack.frames.iter().enumerate().take(FRAMES) {
            // What a signal interrupted is not what the handler is blocked in.
            if frame.signal_trampoline || !matches!(frame.trust, Trust::Context | Trust::Cfi) {
                return None;
            }
            let called = callee(process, frame.pc).and_then(|name| family(&name));
            if let (Some(family), Some(frame)) = (called, position.checked_sub(1)) {
                return Some(Call { family, frame });
            }
            let symbol = process.symbol(frame.pc.lookup());
            let own = symbol.and_then(|symbol| family(&symbol.function?));
            let own = own.or_else(|| {
                let functions = view.functions.get_or_init(|| Functions::of(process));
                functions.0.get(&frame.function_start?).copied().flatten()
            });
            if let Some(family) = own {
                let frame = position;
                return Some(Call { family, frame });
            }
            // The first function outside of the C library is what called it.
            if image(frame) != Some(library) {
                return None;
            }
        }
        None
    }
}

/// Where functions begin into which the known ones jump, so that they have no frame of their own any
/// more; `None` where several kinds of them share one.
pub(in crate::sync) struct Functions(FxHashMap<Addr, Option<Family>>);

impl Functions {
    fn of(process: &Process) -> Functions {
        let mut starts = FxHashMap::default();
        for (name, family) in NAMES {
            let Some((_, start, size)) = process.images.exported(name) else {
                continue;
            };
            for target in jumps_out(process, start, size.min(MOST_CODE)) {
                let known = starts.entry(target).or_insert(Some(*family));
                known.take_if(|known| known != family);
            }
        }
        Functions(starts)
    }
}

/// Where a function jumps that is not in itself.
fn jumps_out(process: &Process, start: Addr, size: u64) -> Vec<Addr> {
    let Ok(code) = process.target.memory.bytes(start, size as usize) else {
        return Vec::new();
    };
    let decoder = Decoder::with_ip(64, &code, start.0, DecoderOptions::NONE);
    let jumps = decoder.into_iter().filter(|instruction| {
        matches!(
            instruction.flow_control(),
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
        ) && instruction.op0_kind() == OpKind::NearBranch64
    });
    let targets = jumps.map(|jump| Addr(jump.near_branch_target()));
    let outside = |target: &Addr| target.since(start).is_none_or(|at| at >= size);
    targets.filter(outside).collect()
}

/// What a function of this name waits for.
fn family(name: &str) -> Option<Family> {
    let name = plain(name);
    let known = NAMES
        .iter()
        .find(|(known, _)| name.starts_with(plain(known)));
    known.map(|(_, family)| *family)
}

/// A name without what glibc puts before those of its own: of `sem_wait` there are `__new_sem_wait` and
/// `__new_sem_wait_slow64`.
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches('_');
    name.strip_prefix("new_").unwrap_or(name)
}

/// The name of the function that the call before a return address calls.
pub(super) fn callee(process: &Process, pc: Pc) -> Option<String> {
    let Pc::Return(next) = pc else { return None };
    let called = process.symbol(target(process, next)?)?;
    called.function.filter(|_| called.offset == Some(0))
}

/// Where the call before a return address goes: `call rel32`, or `call *disp32(%rip)` of code that
/// is compiled without a procedure linkage table.
fn target(process: &Process, next: Addr) -> Option<Addr> {
    let memory = &process.target.memory;
    let code = memory.array::<6>(next.sub(6)).ok()?;
    let relative = next.add(i64::from(bytes::i32_at(&code, 2)?) as u64);
    match code {
        [0xff, 0x15, ..] => memory.ptr(relative).ok(),
        [_, 0xe8, ..] => Some(relative),
        _ => None,
    }
}
