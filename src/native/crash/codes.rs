//! `si_code` in words: why the kernel sent a signal, or who did (Linux
//! include/uapi/asm-generic/siginfo.h, arch/x86/include/uapi/asm/siginfo.h).

use crate::target::SignalInfo;

/// Codes that any signal may have.
#[rustfmt::skip]
const ANY: &[(i32, &str, &str)] = &[
    (128, "SI_KERNEL", "raised by the kernel without an address, such as for a non-canonical pointer"),
    (0, "SI_USER", "sent with kill()"),
    (-1, "SI_QUEUE", "sent with sigqueue()"),
    (-2, "SI_TIMER", "a POSIX timer expired"),
    (-3, "SI_MESGQ", "the state of a message queue changed"),
    (-4, "SI_ASYNCIO", "an asynchronous operation completed"),
    (-5, "SI_SIGIO", "a queued SIGIO"),
    (-6, "SI_TKILL", "sent with tgkill(), as abort() and raise() do"),
];

/// Codes of one signal alone.
#[rustfmt::skip]
const OF_SIGNAL: &[(i32, i32, &str, &str)] = &[
    (libc::SIGILL, 1, "ILL_ILLOPC", "illegal instruction"),
    (libc::SIGILL, 2, "ILL_ILLOPN", "illegal operand"),
    (libc::SIGILL, 3, "ILL_ILLADR", "illegal addressing mode"),
    (libc::SIGILL, 4, "ILL_ILLTRP", "illegal trap"),
    (libc::SIGILL, 5, "ILL_PRVOPC", "privileged instruction"),
    (libc::SIGILL, 6, "ILL_PRVREG", "privileged register"),
    (libc::SIGILL, 7, "ILL_COPROC", "coprocessor error"),
    (libc::SIGILL, 8, "ILL_BADSTK", "internal stack error"),
    (libc::SIGFPE, 1, "FPE_INTDIV", "integer division by zero, or a quotient that does not fit"),
    (libc::SIGFPE, 2, "FPE_INTOVF", "integer overflow"),
    (libc::SIGFPE, 3, "FPE_FLTDIV", "floating-point division by zero"),
    (libc::SIGFPE, 4, "FPE_FLTOVF", "floating-point overflow"),
    (libc::SIGFPE, 5, "FPE_FLTUND", "floating-point underflow"),
    (libc::SIGFPE, 6, "FPE_FLTRES", "inexact floating-point result"),
    (libc::SIGFPE, 7, "FPE_FLTINV", "invalid floating-point operation"),
    (libc::SIGFPE, 8, "FPE_FLTSUB", "subscript out of range"),
    (libc::SIGSEGV, 1, "SEGV_MAPERR", "nothing is mapped there"),
    (libc::SIGSEGV, 2, "SEGV_ACCERR", "the mapping does not permit the access"),
    (libc::SIGSEGV, 3, "SEGV_BNDERR", "a bounds check failed"),
    (libc::SIGSEGV, 4, "SEGV_PKUERR", "a protection key forbids the access"),
    (libc::SIGSEGV, 9, "SEGV_MTESERR", "a memory tag does not match"),
    (libc::SIGSEGV, 10, "SEGV_CPERR", "the shadow stack does not match"),
    (libc::SIGBUS, 1, "BUS_ADRALN", "misaligned address"),
    (libc::SIGBUS, 2, "BUS_ADRERR", "no such page: often a mapped file that was truncated"),
    (libc::SIGBUS, 3, "BUS_OBJERR", "hardware error of the object"),
    (libc::SIGBUS, 4, "BUS_MCEERR_AR", "memory hardware error, in memory that was used"),
    (libc::SIGBUS, 5, "BUS_MCEERR_AO", "memory hardware error, found in the background"),
    (libc::SIGTRAP, 128, "SI_KERNEL", "raised by the kernel, as for a breakpoint"),
    (libc::SIGTRAP, 1, "TRAP_BRKPT", "a breakpoint"),
    (libc::SIGTRAP, 2, "TRAP_TRACE", "a trace trap"),
    (libc::SIGTRAP, 4, "TRAP_HWBKPT", "a hardware breakpoint or watchpoint"),
    (libc::SIGSYS, 1, "SYS_SECCOMP", "a seccomp filter refused the system call"),
];

/// The name of the code and what it means; `None` for a code that has none.
pub fn describe(signo: i32, code: i32) -> Option<(&'static str, &'static str)> {
    let own = OF_SIGNAL.iter().find(|row| (row.0, row.1) == (signo, code));
    let own = own.map(|(_, _, name, words)| (*name, *words));
    own.or_else(|| {
        let any = ANY.iter().find(|(known, ..)| *known == code);
        any.map(|(_, name, words)| (*name, *words))
    })
}

/// Where the signal came from, in words: the code, and the sender if a process sent it.
pub fn cause(info: &SignalInfo, pid: i32) -> Option<String> {
    let (name, words) = describe(info.signo, info.code?)?;
    if !info.is_sent() {
        return Some(format!("{words} ({name})"));
    }
    Some(match info.sender {
        Some(sender) if sender == pid => words.replacen("sent", "sent by the process itself", 1),
        Some(0) => format!("{words} from outside its PID namespace"),
        Some(sender) => words.replacen("sent", &format!("sent by process {sender}"), 1),
        None => words.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_name_the_sender_or_the_fault() {
        let words = |signo, code, sender| {
            let info = SignalInfo {
                code,
                sender,
                ..SignalInfo::bare(signo)
            };
            cause(&info, 7).unwrap_or_default()
        };
        assert!(words(libc::SIGSEGV, Some(1), None).contains("SEGV_MAPERR"));
        assert_eq!(
            words(libc::SIGABRT, Some(-6), Some(7)),
            "sent by the process itself with tgkill(), as abort() and raise() do"
        );
        assert_eq!(
            words(libc::SIGTERM, Some(0), Some(9)),
            "sent by process 9 with kill()"
        );
        assert_eq!(
            words(libc::SIGTERM, Some(0), Some(0)),
            "sent with kill() from outside its PID namespace"
        );
        assert_eq!(words(libc::SIGTRAP, Some(50), None), "");
        assert_eq!(words(libc::SIGSEGV, None, None), "");
    }
}
