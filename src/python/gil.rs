//! The GIL: who holds it and who waits for it (Python/ceval_gil.c, 2.7: Python/ceval.c). The
//! holder is named only when the GIL's own words and what thread states say of themselves agree.

use super::GilState;
use super::layout::{GilPlace, Layout};
use super::runtime::{Runtime, symbol};
use crate::addr::Addr;
use crate::native::Process;
use crate::target::{Fault, Memory, Registers};
use std::ops::Range;

/// Where the words of one GIL are.
#[derive(Default)]
pub(super) struct Gil {
    /// Whether a free-threaded build uses it.
    enabled: Option<Addr>,
    /// 1 when it is held.
    locked: Option<Addr>,
    /// The thread state that took it last.
    last_holder: Option<Addr>,
    /// The thread state that runs, as the runtime remembers it (up to 3.11).
    current: Option<Addr>,
    /// Where futexes lie on which threads wait for it.
    waiting: Vec<Range<u64>>,
}

/// Bytes of a `pthread_cond_t`, whose futex word moved between releases of glibc.
const COND_SIZE: u64 = 48;

impl Gil {
    /// The GIL that the interpreter at `interpreter` uses.
    pub(super) fn of(
        process: &Process,
        layout: &Layout,
        runtime: &Runtime,
        interpreter: Addr,
    ) -> Result<Gil, String> {
        let memory = &*process.target.memory;
        let no_runtime = || "the address of _PyRuntime is not known".to_owned();
        let variable = |name: &str| symbol(process, name).map(|(addr, _)| addr);
        match layout.kinds.gil {
            GilPlace::InterpreterLock => {
                // The lock is a semaphore; its futex is the first word.
                let lock = variable("interpreter_lock").and_then(|at| memory.ptr(at).ok());
                Ok(Gil {
                    current: variable("_PyThreadState_Current"),
                    waiting: lock
                        .map(|lock| lock.0..lock.0.saturating_add(8))
                        .into_iter()
                        .collect(),
                    ..Gil::default()
                })
            }
            GilPlace::Statics => {
                let range = |name: &str, size| variable(name).map(|at| at.0..at.0 + size);
                let mutex = range("gil_mutex", 4);
                let switch = [range("switch_cond", COND_SIZE), range("switch_mutex", 4)];
                Ok(Gil {
                    enabled: None,
                    locked: variable("gil_locked"),
                    last_holder: variable("gil_last_holder"),
                    current: variable("_PyThreadState_Current"),
                    waiting: range("gil_cond", COND_SIZE)
                        .into_iter()
                        .chain(mutex)
                        .chain(switch.into_iter().flatten())
                        .collect(),
                })
            }
            GilPlace::Runtime => {
                let fields = layout.fields.runtime.ok_or_else(no_runtime)?;
                let runtime = runtime.addr.ok_or_else(no_runtime)?;
                let gil = fields.gil.ok_or_else(no_runtime)?.of(runtime);
                let current = fields.tstate_current.map(|field| field.of(runtime));
                Ok(Gil::at(layout, gil, current))
            }
            GilPlace::Interpreter => {
                let field = layout.fields.interpreter.gil.ok_or_else(no_runtime)?;
                let gil = memory
                    .ptr(field.of(interpreter))
                    .map_err(|f| f.to_string())?;
                if gil.is_null() {
                    return Err("the interpreter has no GIL yet".into());
                }
                Ok(Gil::at(layout, gil, None))
            }
        }
    }

    /// A `struct _gil_runtime_state` at `gil`.
    fn at(layout: &Layout, gil: Addr, current: Option<Addr>) -> Gil {
        let Some(fields) = layout.fields.gil else {
            return Gil::default();
        };
        let (cond, mutex) = (fields.cond.of(gil).0, fields.mutex.of(gil).0);
        let switch = fields.switch_cond.of(gil).0;
        Gil {
            enabled: fields.enabled.map(|field| field.of(gil)),
            locked: Some(fields.locked.of(gil)),
            last_holder: Some(fields.last_holder.of(gil)),
            current,
            waiting: vec![
                cond..cond.saturating_add(COND_SIZE),
                mutex..mutex.saturating_add(4),
                // One that gave it up for others takes it again after them.
                switch..switch.saturating_add(COND_SIZE + 4),
            ],
        }
    }

    /// Who holds it. `active` are the thread states that say of themselves that they run, `None`
    /// where the version has no such mark; `known` tells whether a thread state is in a list.
    pub(super) fn state(
        &self,
        memory: &dyn Memory,
        active: Option<&[Addr]>,
        known: &dyn Fn(Addr) -> bool,
    ) -> GilState {
        match self.read(memory) {
            Ok(words) => words.judge(active, known),
            Err(fault) => GilState::Unknown(fault.to_string()),
        }
    }

    fn read(&self, memory: &dyn Memory) -> Result<Words, Fault> {
        let int = |at: Option<Addr>| at.map(|at| memory.i32(at)).transpose();
        let thread = |at: Option<Addr>| at.map(|at| memory.ptr(at)).transpose();
        Ok(Words {
            enabled: int(self.enabled)?.map(|enabled| enabled != 0),
            locked: int(self.locked)?,
            last_holder: thread(self.last_holder)?,
            current: thread(self.current)?,
        })
    }

    /// Whether a thread sits in a futex wait for it; `None` when it waits for some futex and no
    /// symbol tells where those of the GIL are. One that was just woken, by a signal or because its
    /// time was up, still does: it will wait again.
    pub(super) fn is_awaited_by(&self, registers: &Registers) -> Option<bool> {
        let number = registers.syscall;
        let futex = [libc::SYS_futex, libc::SYS_restart_syscall]
            .map(Some)
            .contains(&number);
        let (Some(uaddr), Some(op)) = (registers.syscall_arg(0), registers.syscall_arg(1)) else {
            return Some(false);
        };
        let op = op as i32 & !FUTEX_FLAGS;
        let waits = futex && matches!(op, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET);
        match (waits, self.waiting.as_slice()) {
            (false, _) => Some(false),
            (true, []) => None,
            (true, known) => Some(known.iter().any(|range| range.contains(&uaddr))),
        }
    }
}

/// Bits of a futex operation that are not the operation.
const FUTEX_FLAGS: i32 = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;

/// The words of a GIL as read.
struct Words {
    enabled: Option<bool>,
    locked: Option<i32>,
    last_holder: Option<Addr>,
    current: Option<Addr>,
}

impl Words {
    fn judge(&self, active: Option<&[Addr]>, known: &dyn Fn(Addr) -> bool) -> GilState {
        if self.enabled == Some(false) {
            return GilState::Disabled;
        }
        let held = |tstate: Addr, evidence: String| match known(tstate) {
            true => GilState::Held { tstate, evidence },
            false => GilState::Unknown(format!(
                "{evidence} name {tstate}, which is no known thread state"
            )),
        };
        let current = self.current.filter(|current| !current.is_null());
        match (
            self.locked,
            self.last_holder.filter(|holder| !holder.is_null()),
        ) {
            (Some(1), Some(holder)) => {
                let others = active.unwrap_or_default().iter().copied().chain(current);
                if let Some(other) = others.clone().find(|other| *other != holder) {
                    return GilState::Unknown(format!(
                        "gil.last_holder is {holder}, but {other} is marked as running"
                    ));
                }
                let words = "gil.locked and gil.last_holder";
                held(
                    holder,
                    match (others.count(), active, self.current) {
                        (0, None, None) => words.to_owned(),
                        // The moment between taking the GIL and saying so.
                        (0, ..) => format!("{words} (no thread state is marked as running yet)"),
                        (_, Some(_), _) => format!("{words} and the marks in the thread state"),
                        _ => format!("{words} and the runtime's current thread state"),
                    },
                )
            }
            (Some(1), None) => GilState::Unknown("gil.locked is set without a holder".into()),
            (Some(0), _) => match active.unwrap_or_default().first().copied().or(current) {
                None => GilState::Free,
                Some(other) => {
                    GilState::Unknown(format!("gil.locked is 0, but {other} is marked as running"))
                }
            },
            // 3.6 makes the GIL with the first thread, 2.7 has no such words.
            (Some(-1) | None, _) => match (current, self.current) {
                (Some(current), _) => held(current, "the current thread state".to_owned()),
                (None, Some(_)) => GilState::Free,
                (None, None) => GilState::Unknown("no symbol tells where its variables are".into()),
            },
            (Some(other), _) => GilState::Unknown(format!("gil.locked is {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(locked: i32, holder: u64, current: Option<u64>, active: Option<&[Addr]>) -> GilState {
        let words = Words {
            enabled: None,
            locked: Some(locked),
            last_holder: Some(Addr(holder)),
            current: current.map(Addr),
        };
        words.judge(active, &|tstate| tstate.0 < 100)
    }

    #[test]
    fn a_holder_is_named_only_when_all_agree() {
        let held = |state| match state {
            GilState::Held { tstate, .. } => Some(tstate.0),
            _ => None,
        };
        assert_eq!(held(judge(1, 7, Some(7), None)), Some(7));
        assert_eq!(held(judge(1, 7, None, Some(&[Addr(7)]))), Some(7));
        assert_eq!(held(judge(1, 7, Some(0), None)), Some(7), "just taken");
        assert_eq!(held(judge(1, 7, Some(8), None)), None);
        assert_eq!(held(judge(1, 7, None, Some(&[Addr(8)]))), None);
        assert_eq!(
            held(judge(1, 700, None, None)),
            None,
            "no such thread state"
        );
        assert_eq!(held(judge(1, 0, None, None)), None);
        assert_eq!(
            held(judge(-1, 0, Some(7), None)),
            Some(7),
            "3.6 without threads"
        );
        assert_eq!(judge(0, 7, Some(0), None), GilState::Free);
        assert!(matches!(judge(0, 7, Some(9), None), GilState::Unknown(_)));
        assert!(matches!(judge(77, 7, None, None), GilState::Unknown(_)));
    }
}
