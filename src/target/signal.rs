//! A signal and where it came from: `siginfo_t` of a core's NT_SIGINFO (Linux
//! include/uapi/asm-generic/siginfo.h).

use crate::addr::Addr;
use crate::bytes;
use serde::Serialize;

/// What `siginfo_t` says about one signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SignalInfo {
    /// The signal's number.
    pub signo: i32,
    /// `si_code`: positive from the kernel, 0 kill(), −1 sigqueue(), −6 tgkill().
    pub code: i32,
    /// The fault address (SIGSEGV, SIGBUS, SIGILL, SIGFPE with a kernel code); NULL is an
    /// address like any other.
    pub fault: Option<Addr>,
    /// The sender's process id, when a process sent it.
    pub sender: Option<i32>,
}

impl SignalInfo {
    /// From the bytes of NT_SIGINFO.
    pub fn parse(raw: &[u8]) -> Option<SignalInfo> {
        let signo = bytes::i32_at(raw, 0)?;
        let code = bytes::i32_at(raw, 8)?;
        let faulting = matches!(
            signo,
            libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE
        );
        // SI_KERNEL (128) comes without an address: general protection faults.
        let fault = (faulting && code > 0 && code != 128)
            .then(|| bytes::u64_at(raw, 16).map(Addr))
            .flatten();
        let sender = (code <= 0).then(|| bytes::i32_at(raw, 16)).flatten();
        Some(SignalInfo {
            signo,
            code,
            fault,
            sender,
        })
    }

    /// The name, such as `SIGSEGV`.
    pub fn name(&self) -> String {
        name(self.signo)
    }
}

/// A signal's name: `SIGSEGV`, `SIGRTMIN+3`, or `signal 99`.
pub fn name(signo: i32) -> String {
    match nix::sys::signal::Signal::try_from(signo) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if (34..=64).contains(&signo) => format!("SIGRTMIN+{}", signo - 34),
        Err(_) => format!("signal {signo}"),
    }
}

/// What gdb says of a signal: `Segmentation fault`.
pub fn description(signo: i32) -> &'static str {
    match signo {
        libc::SIGHUP => "Hangup",
        libc::SIGINT => "Interrupt",
        libc::SIGQUIT => "Quit",
        libc::SIGILL => "Illegal instruction",
        libc::SIGTRAP => "Trace/breakpoint trap",
        libc::SIGABRT => "Aborted",
        libc::SIGBUS => "Bus error",
        libc::SIGFPE => "Arithmetic exception",
        libc::SIGKILL => "Killed",
        libc::SIGUSR1 => "User defined signal 1",
        libc::SIGSEGV => "Segmentation fault",
        libc::SIGUSR2 => "User defined signal 2",
        libc::SIGPIPE => "Broken pipe",
        libc::SIGALRM => "Alarm clock",
        libc::SIGTERM => "Terminated",
        libc::SIGSTKFLT => "Stack fault",
        libc::SIGXCPU => "CPU time limit exceeded",
        libc::SIGXFSZ => "File size limit exceeded",
        libc::SIGSYS => "Bad system call",
        _ => "Unknown signal",
    }
}
