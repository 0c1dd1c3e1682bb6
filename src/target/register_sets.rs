//! All that the processor keeps for one stopped thread, as the notes of a core have it: the general
//! registers (`user_regs_struct`), x87 and SSE (`user_fpregs_struct`), and the XSAVE area with AVX
//! and later. Mirrors `fill_thread_core_info` of Linux fs/binfmt_elf.c and the regsets of
//! arch/x86/kernel/ptrace.c.

use super::crew::{Hold, Tracee};
use super::ptrace::{self, GENERAL_REGISTERS};
use super::registers::USER_REGS_SIZE;
use super::signal::SignalInfo;

/// `NT_PRFPREG`.
const FLOATING: u32 = 2;
/// `NT_X86_XSTATE`.
const EXTENDED: u32 = 0x202;
/// Room for the largest set: with AMX the XSAVE area has 11 KiB.
const MOST: usize = 64 << 10;

/// Where the XMM registers are in the form of FXSAVE, and where the extended part of the XSAVE area
/// begins, behind its header.
const XMM: std::ops::Range<usize> = 160..416;
const BEHIND_HEADER: usize = 576;

/// Zeros the vector registers of a set in the form of FXSAVE or XSAVE.
pub fn blank_vectors(set: &mut [u8]) {
    for range in [XMM, BEHIND_HEADER..set.len()] {
        if let Some(registers) = set.get_mut(range) {
            registers.fill(0);
        }
    }
}

/// The register sets of one thread.
#[derive(Clone, Debug)]
pub struct RegisterSets {
    /// The thread, in pydbg's own PID namespace.
    pub tid: i32,
    /// `user_regs_struct`.
    pub general: Vec<u8>,
    /// x87 and SSE in the form of FXSAVE; `None` when the kernel does not hand it out.
    pub floating: Option<Vec<u8>>,
    /// The XSAVE area; `None` for a processor without it.
    pub extended: Option<Vec<u8>>,
    /// The `siginfo_t` of a signal that says that the thread crashed and which it is about to
    /// receive, with the signal's number.
    pub crash: Option<(i32, Vec<u8>)>,
    /// The signals it blocks, as bits from signal 1 on.
    pub blocked: u64,
}

impl RegisterSets {
    /// Of all threads that are stopped and are of x86-64, by the thread that traces them.
    pub(super) fn of(tracees: &[Tracee]) -> Vec<RegisterSets> {
        let mut room = vec![0; MOST];
        let tracees = tracees.iter();
        tracees
            .filter_map(|tracee| RegisterSets::read(tracee, &mut room))
            .collect()
    }

    fn read(tracee: &Tracee, room: &mut [u8]) -> Option<RegisterSets> {
        let Hold::Stopped { signal } = tracee.hold else {
            return None;
        };
        let tid = tracee.tid;
        let mut set = |kind| {
            let len = ptrace::register_set(tid, kind, room).ok()?;
            Some(room.get(..len)?.to_vec())
        };
        let general: Vec<u8> = set(GENERAL_REGISTERS)?;
        if general.len() != USER_REGS_SIZE {
            return None;
        }
        let crash = (signal != 0)
            .then(|| ptrace::signal_info(tid).ok())
            .flatten();
        let crash = crash.filter(|raw| SignalInfo::parse(raw).is_some_and(|it| it.is_crash()));
        Some(RegisterSets {
            tid,
            general,
            floating: set(FLOATING),
            extended: set(EXTENDED),
            crash: crash.map(|raw| (signal, raw.to_vec())),
            blocked: ptrace::blocked_signals(tid).unwrap_or_default(),
        })
    }
}
