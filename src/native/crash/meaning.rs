//! What a crash means, in one sentence with its evidence: the rules that are no matter of memory.
//! Those of bad addresses are in [`super::memory`].

use super::instruction::{self, Operation};
use super::{Called, Crash, abort, memory};
use crate::native::{Location, Process};
use crate::target::SignalInfo;
use serde::Serialize;

/// How many of the innermost frames are looked at for the function that ended the process.
const INNERMOST: usize = 40;

/// What a crash means.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Meaning {
    /// The kind of crash.
    pub kind: Kind,
    /// One sentence, without its full stop.
    pub text: String,
    /// What it stands on.
    pub evidence: Vec<String>,
}

/// The kinds of crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A NULL pointer was used, maybe with an offset.
    NullDereference,
    /// An address was used that no process can have.
    NonCanonical,
    /// An instruction that needs an aligned address got another one.
    Misaligned,
    /// Memory that may only be read was written.
    ReadOnly,
    /// Memory that may not be accessed at all was.
    NoAccess,
    /// Nothing is mapped at the address.
    NotMapped,
    /// The stack is full.
    StackOverflow,
    /// The process ran into an address where no code is.
    Jump,
    /// A page of a mapped file behind the end of the file was used.
    PastEndOfFile,
    /// The hardware found bad memory.
    HardwareMemory,
    /// An integer was divided by zero.
    DivisionByZero,
    /// The quotient of a division does not fit.
    DivisionOverflow,
    /// Another arithmetic trap.
    Arithmetic,
    /// The compiler put an instruction there that is illegal on purpose.
    Trap,
    /// An instruction that this processor does not have, or bytes that are none.
    IllegalInstruction,
    /// An instruction that only the kernel may run.
    PrivilegedInstruction,
    /// A breakpoint.
    Breakpoint,
    /// A failed assertion of C code.
    Assertion,
    /// The process called `abort()`.
    Abort,
    /// The process sent itself the signal.
    Raised,
    /// Another process sent the signal.
    Killed,
    /// A system call that is forbidden or does not exist.
    BadSystemCall,
    /// Nothing tells.
    Unknown,
}

impl Meaning {
    /// A meaning without evidence so far.
    pub(super) fn new(kind: Kind, text: impl Into<String>) -> Meaning {
        Meaning {
            kind,
            text: text.into(),
            evidence: Vec::new(),
        }
    }

    pub(super) fn unknown() -> Meaning {
        Meaning::new(Kind::Unknown, "what caused it is not known")
    }

    /// The same with one more piece of evidence.
    pub(super) fn because(mut self, evidence: impl Into<String>) -> Meaning {
        self.evidence.push(evidence.into());
        self
    }
}

/// Fills in the meaning of a crash, and what was found on the way.
pub(super) fn find(
    process: &Process,
    info: &SignalInfo,
    crash: &mut Crash,
    called: &dyn Fn(usize) -> Called,
) {
    crash.meaning = match info.signo {
        _ if info.is_sent() => sent(process, info, crash),
        libc::SIGSEGV | libc::SIGBUS => memory::meaning(process, info, crash, called),
        libc::SIGFPE => arithmetic(crash),
        libc::SIGILL => illegal(crash),
        libc::SIGTRAP => trap(process, crash),
        libc::SIGABRT => aborted(process, crash),
        libc::SIGSYS => Meaning::new(
            Kind::BadSystemCall,
            "a system call was made that is forbidden here or does not exist",
        ),
        _ => match &crash.signal.cause {
            Some(cause) => Meaning::new(Kind::Unknown, cause.clone()),
            None => Meaning::unknown(),
        },
    };
}

/// A signal that a process sent.
fn sent(process: &Process, info: &SignalInfo, crash: &mut Crash) -> Meaning {
    let own = info.sender == Some(process.target.process.pid);
    if own && info.signo == libc::SIGABRT {
        return aborted(process, crash);
    }
    let name = &crash.signal.name;
    let user = info.sender_uid;
    let user = user.map_or(String::new(), |uid| format!(" of user {uid}"));
    match info.sender {
        Some(_) if own => {
            let text = format!("the process sent itself {name}, as raise() and os.kill() do");
            Meaning::new(Kind::Raised, text)
        }
        Some(0) => Meaning::new(
            Kind::Killed,
            format!("a process{user} outside its PID namespace killed it with {name}"),
        ),
        Some(sender) => Meaning::new(
            Kind::Killed,
            format!("process {sender}{user} killed it with {name}"),
        ),
        None => Meaning::new(Kind::Killed, format!("a process killed it with {name}")),
    }
    .because("the sender is what the kernel wrote into siginfo")
}

/// SIGABRT by the process itself.
fn aborted(process: &Process, crash: &mut Crash) -> Meaning {
    crash.message = abort::message(process);
    let locations = innermost(process, crash.thread);
    let functions: Vec<String> = locations
        .iter()
        .map(|location| location.function.clone().unwrap_or_default())
        .collect();
    let reason = abort::reason(&functions);
    let ender = functions
        .iter()
        .rposition(|function| matches!(function.trim_start_matches("__GI_"), "abort" | "raise"));
    let aborts = ender.is_some();
    crash.caller = caller(&locations, ender);
    let assertion = crash
        .message
        .as_ref()
        .is_some_and(|text| text.contains(": Assertion `"));
    let (kind, text) = match (&reason, &crash.message) {
        (_, Some(message)) if assertion => (
            Kind::Assertion,
            format!("an assertion of C code failed: {message}"),
        ),
        (Some((words, function)), message) => {
            let kind = match function.starts_with("__assert") {
                true => Kind::Assertion,
                false => Kind::Abort,
            };
            let message = message
                .as_ref()
                .map_or(String::new(), |text| format!(": {text}"));
            (kind, format!("{words}{message}"))
        }
        (None, Some(message)) => (Kind::Abort, format!("the process ended itself: {message}")),
        (None, None) if aborts => (Kind::Abort, "the process called abort()".to_owned()),
        (None, None) => {
            let text = "the process sent itself SIGABRT, as abort() does";
            (Kind::Abort, text.to_owned())
        }
    };
    let mut meaning = Meaning::new(kind, text);
    if crash.message.is_some() {
        meaning = meaning.because("the message is what glibc keeps in __abort_msg");
    }
    if let Some((_, function)) = reason {
        meaning = meaning.because(format!("{function}() is on the stack"));
    }
    if let Some(caller) = &crash.caller {
        meaning = meaning.because(format!("it was called by {}", where_it_is(caller)));
    }
    meaning
}

/// The function that called for the end of the process: the first behind frame `ender` that is not
/// the C library's own.
fn caller(locations: &[Location], ender: Option<usize>) -> Option<Location> {
    let libc = |location: &&Location| {
        let module = location.module.as_deref().unwrap_or_default();
        let name = module.rsplit('/').next().unwrap_or_default();
        name.starts_with("libc.so") || name.starts_with("libc-")
    };
    let behind = locations.get(ender?.saturating_add(1)..)?;
    behind.iter().find(|location| !libc(location)).cloned()
}

/// `inner () at segv.c:37`, or as much of it as is known.
pub(super) fn where_it_is(location: &Location) -> String {
    let mut text = match &location.function {
        Some(function) => format!("{function} ()"),
        None => "an unknown function".to_owned(),
    };
    match (&location.file, location.line, &location.module) {
        (Some(file), Some(line), _) => text.push_str(&format!(" at {file}:{line}")),
        (_, _, Some(module)) => text.push_str(&format!(" from {module}")),
        _ => {}
    }
    text
}

/// Where the innermost native frames of a thread are.
fn innermost(process: &Process, thread: usize) -> Vec<Location> {
    let Some(stack) = process.stack(thread) else {
        return Vec::new();
    };
    let frames = stack.frames.iter().take(INNERMOST);
    frames.flat_map(|frame| process.symbolize(frame)).collect()
}

fn arithmetic(crash: &Crash) -> Meaning {
    let said = crash
        .signal
        .cause
        .clone()
        .unwrap_or_else(|| "an arithmetic trap".to_owned());
    let Some(instruction) = &crash.instruction else {
        return Meaning::new(Kind::Arithmetic, said);
    };
    match instruction.operation {
        Operation::Divide { divisor: Some(0) } => {
            Meaning::new(Kind::DivisionByZero, "an integer was divided by zero")
                .because(format!("the divisor of {} is 0", instruction.att))
        }
        Operation::Divide {
            divisor: Some(divisor),
        } => Meaning::new(
            Kind::DivisionOverflow,
            "the quotient of an integer division does not fit, as of the smallest integer by -1",
        )
        .because(format!(
            "the divisor of {} is {divisor:#x}, not 0",
            instruction.att
        )),
        _ => Meaning::new(Kind::Arithmetic, said),
    }
}

fn illegal(crash: &mut Crash) -> Meaning {
    if let Some(pc) = crash.pc {
        crash.address = Some(pc);
        crash.address_source = Some(super::AddressSource::Kernel);
    }
    let Some(instruction) = &crash.instruction else {
        let why = crash.instruction_problem.clone().unwrap_or_default();
        return Meaning::new(Kind::IllegalInstruction, "an instruction is illegal").because(why);
    };
    match instruction.operation {
        Operation::Undefined => Meaning::new(
            Kind::Trap,
            "the program came where its compiler put a trap: __builtin_trap(), a place that cannot \
             be reached, or a failed check",
        )
        .because(format!("the instruction is {}", instruction.att)),
        Operation::Privileged => privileged(&instruction.att),
        _ => Meaning::new(
            Kind::IllegalInstruction,
            "this processor does not have the instruction",
        )
        .because(format!("the instruction is {}", instruction.att)),
    }
}

/// An instruction for the kernel alone.
pub(super) fn privileged(text: &str) -> Meaning {
    let sentence = "an instruction was run that only the kernel may run";
    Meaning::new(Kind::PrivilegedInstruction, sentence)
        .because(format!("the instruction is {text}"))
}

/// SIGTRAP: a breakpoint's address is that of the next instruction.
fn trap(process: &Process, crash: &mut Crash) -> Meaning {
    let registers = process
        .target
        .threads
        .first()
        .and_then(|thread| thread.registers);
    let before = crash.pc.map(|pc| pc.sub(1));
    if let (Some(registers), Some(before)) = (registers, before)
        && let Ok(Some(found)) = instruction::decode(&*process.target.memory, &registers, before)
        && found.operation == Operation::Breakpoint
    {
        crash.instruction = Some(found);
        return Meaning::new(
            Kind::Breakpoint,
            "the program ran into a breakpoint, with no debugger to take it",
        )
        .because("the instruction before the program counter is int3");
    }
    Meaning::unknown()
}
