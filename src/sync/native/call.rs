//! Which function of the C library or of C++ a thread is blocked in. Its name is exported, so that
//! a stripped library has it, too; where its slow half is a function without a name, the caller's
//! call instruction still says what was called.

use crate::addr::{Addr, Pc};
use crate::bytes;
use crate::native::Process;
use crate::unwind::Trust;

/// How many frames are looked at: these functions call little before they ask the kernel.
const FRAMES: usize = 10;

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

/// Beginnings of names, without the underscores that glibc puts before those of its own: of
/// `sem_wait` there are `__new_sem_wait` and `__new_sem_wait_slow64`.
const NAMES: &[(&str, Family)] = &[
    ("pthread_mutex_", Family::Mutex),
    ("pthread_rwlock_", Family::RwLock),
    ("pthread_cond_", Family::Condition),
    ("sem_wait", Family::Semaphore),
    ("sem_timedwait", Family::Semaphore),
    ("sem_clockwait", Family::Semaphore),
    ("new_sem_wait", Family::Semaphore),
    ("pthread_barrier_wait", Family::Barrier),
    ("pthread_join", Family::Join),
    ("pthread_timedjoin", Family::Join),
    ("pthread_clockjoin", Family::Join),
    ("thrd_join", Family::Join),
    ("pthread_once", Family::Once),
    ("cxa_guard_acquire", Family::Guard),
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
    pub(in crate::sync) fn of(process: &Process, id: usize) -> Option<Call> {
        let stack = process.stack(id)?;
        let image = |pc: Pc| process.images.index_at(pc.lookup());
        let library = image(stack.frames.first()?.pc)?;
        for (frame, native) in stack.frames.iter().enumerate().take(FRAMES) {
            // What a signal interrupted is not what the handler is blocked in.
            if native.signal_trampoline || !matches!(native.trust, Trust::Context | Trust::Cfi) {
                return None;
            }
            let pc = native.pc;
            let called = callee(process, pc).and_then(|name| family(&name));
            if let (Some(family), Some(frame)) = (called, frame.checked_sub(1)) {
                return Some(Call { family, frame });
            }
            let symbol = process.symbol(pc.lookup());
            let own = symbol.and_then(|symbol| family(&symbol.function?));
            if let Some(family) = own {
                return Some(Call { family, frame });
            }
            // The first function outside of the C library is what called it.
            if image(pc) != Some(library) {
                return None;
            }
        }
        None
    }
}

/// What a function of this name waits for.
fn family(name: &str) -> Option<Family> {
    let name = name.trim_start_matches('_');
    let known = NAMES.iter().find(|(start, _)| name.starts_with(start));
    known.map(|(_, family)| *family)
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
