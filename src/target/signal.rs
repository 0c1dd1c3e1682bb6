//! A signal and where it came from: `siginfo_t` of a core's NT_SIGINFO (Linux
//! include/uapi/asm-generic/siginfo.h).

use crate::addr::Addr;
use crate::bytes;
use serde::Serialize;

/// Sent by kill().
const SI_USER: i32 = 0;
/// Sent by sigqueue().
const SI_QUEUE: i32 = -1;
/// Sent because a message queue changed state.
const SI_MESGQ: i32 = -3;
/// Sent by tkill() or tgkill(): raise(), abort(), pthread_kill().
const SI_TKILL: i32 = -6;
/// Sent by the kernel without a more exact reason.
const SI_KERNEL: i32 = 128;

/// What `siginfo_t` says about one signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SignalInfo {
    /// The signal's number.
    pub signo: i32,
    /// `si_code`: positive from the kernel, 0 kill(), −1 sigqueue(), −6 tgkill(). `None` when only
    /// the number is known.
    pub code: Option<i32>,
    /// The fault address (SIGSEGV, SIGBUS, SIGILL, SIGFPE with a kernel code); NULL is an
    /// address like any other.
    pub fault: Option<Addr>,
    /// The sender's process id, when a process sent it.
    pub sender: Option<i32>,
    /// The sender's real user id, when a process sent it.
    pub sender_uid: Option<u32>,
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
        let has_address = faulting && code > 0 && code != SI_KERNEL;
        let sent = SignalInfo {
            code: Some(code),
            ..SignalInfo::bare(signo)
        };
        let has_sender = sent.is_sent();
        Some(SignalInfo {
            signo,
            code: Some(code),
            fault: has_address
                .then(|| bytes::u64_at(raw, 16).map(Addr))
                .flatten(),
            sender: has_sender.then(|| bytes::i32_at(raw, 16)).flatten(),
            sender_uid: has_sender.then(|| bytes::u32_at(raw, 20)).flatten(),
        })
    }

    /// A signal of which only the number is known.
    pub fn bare(signo: i32) -> SignalInfo {
        SignalInfo {
            signo,
            code: None,
            fault: None,
            sender: None,
            sender_uid: None,
        }
    }

    /// Whether a process sent it, by its code.
    pub fn is_sent(&self) -> bool {
        matches!(self.code, Some(SI_USER | SI_QUEUE | SI_MESGQ | SI_TKILL))
    }

    /// Whether it is one that ends a process with a core because of what the process did.
    pub fn is_crash(&self) -> bool {
        matches!(
            self.signo,
            libc::SIGSEGV
                | libc::SIGBUS
                | libc::SIGILL
                | libc::SIGFPE
                | libc::SIGABRT
                | libc::SIGSYS
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(signo: i32, code: i32, word: u64) -> Vec<u8> {
        let mut raw = vec![0; 128];
        raw[..4].copy_from_slice(&signo.to_le_bytes());
        raw[8..12].copy_from_slice(&code.to_le_bytes());
        raw[16..24].copy_from_slice(&word.to_le_bytes());
        raw
    }

    #[test]
    fn addresses_and_senders_are_told_apart() {
        let fault = SignalInfo::parse(&raw(libc::SIGSEGV, 1, 0)).unwrap();
        assert_eq!((fault.fault, fault.sender), (Some(Addr::NULL), None));
        let abort = SignalInfo::parse(&raw(libc::SIGABRT, -6, 77)).unwrap();
        assert_eq!((abort.fault, abort.sender), (None, Some(77)));
        let protection = SignalInfo::parse(&raw(libc::SIGSEGV, 128, 5)).unwrap();
        assert_eq!((protection.fault, protection.sender), (None, None));
        let timer = SignalInfo::parse(&raw(libc::SIGALRM, -2, 5)).unwrap();
        assert_eq!(timer.sender, None);
        assert!(SignalInfo::parse(&raw(11, 1, 0)[..10]).is_none());
    }
}
