//! Why a process crashed: its signal with the code in words, the instruction it stood at with the
//! operand's address and what lies there, and in one sentence what that means. Each sentence has
//! its evidence; where nothing tells, it says so.

mod abort;
pub mod codes;
mod instruction;
mod meaning;
mod memory;
mod pattern;
pub mod recursion;

use super::place::Place;
use super::{Location, Process};
use crate::addr::{Addr, Pc};
use crate::target::{SignalInfo, signal};
pub use instruction::{Access, Instruction, Operation, RegisterValue};
pub use meaning::{Kind, Meaning};
pub use recursion::Recursion;
use serde::Serialize;

/// The functions of a thread's stack, innermost first, each with whether it is Python.
pub type Called = Vec<(String, bool)>;

/// A crash and all that is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Crash {
    /// The thread that took the signal, as gdb counts.
    pub thread: usize,
    /// Its LWP id.
    pub tid: i32,
    /// The signal.
    pub signal: Signal,
    /// Where it was: the instruction pointer; `None` when the registers are not known.
    pub pc: Option<Addr>,
    /// What is there: function, file and line.
    pub location: Option<Location>,
    /// Who led there, for a jump to where no code is and for a process that ended itself.
    pub caller: Option<Location>,
    /// The instruction it stood at; only where that caused the signal.
    pub instruction: Option<Instruction>,
    /// Why there is no instruction, if it was looked for.
    pub instruction_problem: Option<String>,
    /// The address that could not be used.
    pub address: Option<Addr>,
    /// Where that address is from.
    pub address_source: Option<AddressSource>,
    /// What lies at that address.
    pub place: Option<Place>,
    /// What it means.
    pub meaning: Meaning,
    /// What glibc wrote before it ended the process.
    pub message: Option<String>,
    /// The functions that a stack that is full consists of.
    pub recursion: Option<Recursion>,
    /// What else is noticed, such as a pattern that a debugging allocator writes into freed
    /// memory.
    pub hints: Vec<String>,
}

/// The signal in words.
#[derive(Clone, Debug, Serialize)]
pub struct Signal {
    /// Such as `SIGSEGV`.
    pub name: String,
    /// Its number.
    pub number: i32,
    /// Such as `Segmentation fault`.
    pub description: &'static str,
    /// `si_code`; `None` when the core does not have it.
    pub code: Option<i32>,
    /// Such as `SEGV_MAPERR`; `None` for a code without a name.
    pub code_name: Option<&'static str>,
    /// What the code means, and who sent the signal.
    pub cause: Option<String>,
    /// The sender's process id.
    pub sender: Option<i32>,
    /// The sender's real user id.
    pub sender_uid: Option<u32>,
}

/// Where a fault address is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressSource {
    /// The kernel said it (`si_addr`).
    Kernel,
    /// The instruction's operand and the registers give it; the kernel did not say.
    Operand,
}

impl Signal {
    fn of(info: &SignalInfo, pid: i32) -> Signal {
        Signal {
            name: info.name(),
            number: info.signo,
            description: signal::description(info.signo),
            code: info.code,
            code_name: info
                .code
                .and_then(|code| codes::describe(info.signo, code))
                .map(|(name, _)| name),
            cause: codes::cause(info, pid),
            sender: info.sender,
            sender_uid: info.sender_uid,
        }
    }
}

impl Process {
    /// The crash that ended the process; `None` when no signal did. `called` gives the functions
    /// of a thread's stack, by number, for a caller that knows more than native ones.
    pub fn crash(&self, called: &dyn Fn(usize) -> Called) -> Option<Crash> {
        let info = self.target.signal?;
        let thread = self.threads().first()?;
        let registers = self.target.threads.first()?.registers;
        let pc = registers.as_ref().and_then(|registers| registers.pc());
        let by_instruction = !info.is_sent()
            && matches!(
                info.signo,
                libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP
            );
        let mut instruction_problem = None;
        let decoded = match (by_instruction, registers, pc) {
            (true, Some(registers), Some(pc)) => {
                match instruction::decode(&*self.target.memory, &registers, pc) {
                    Ok(Some(decoded)) => Some(decoded),
                    Ok(None) => {
                        instruction_problem = Some("its bytes are no instruction".to_owned());
                        None
                    }
                    Err(fault) => {
                        instruction_problem = Some(fault.to_string());
                        None
                    }
                }
            }
            (true, ..) => {
                instruction_problem = Some("the registers are not known".to_owned());
                None
            }
            (false, ..) => None,
        };
        let mut crash = Crash {
            thread: thread.id,
            tid: thread.tid,
            signal: Signal::of(&info, self.target.process.pid),
            pc,
            location: pc.and_then(|pc| self.locations(Pc::Exact(pc)).into_iter().next()),
            caller: None,
            instruction: decoded,
            instruction_problem,
            address: None,
            address_source: None,
            place: None,
            meaning: Meaning::unknown(),
            message: None,
            recursion: None,
            hints: Vec::new(),
        };
        meaning::find(self, &info, &mut crash, called);
        Some(crash)
    }

    /// The native functions of a thread's stack, innermost first.
    pub fn called(&self, thread: usize) -> Called {
        let Some(stack) = self.stack(thread) else {
            return Vec::new();
        };
        let names = stack.frames.iter().map(|frame| {
            let locations = self.symbolize(frame);
            let name = locations.last().and_then(|found| found.function.clone());
            (name.unwrap_or_default(), false)
        });
        names.collect()
    }
}
