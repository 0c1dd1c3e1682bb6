//! A bug in one command must not lose the session, nor leave a live target stopped: each command
//! runs inside a catch, and the panic's message says what it was about.

use super::out::complain;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// The command that runs, for the message of a panic.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<String>>);

impl Running {
    /// Replaces Rust's own message for panics by one a user can act on.
    pub fn install() -> Running {
        let running = Running::default();
        let shared = running.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let command = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            complain(&message(panic, &command));
            let backtrace = std::backtrace::Backtrace::capture();
            if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
                complain(&backtrace.to_string());
            }
        }));
        running
    }

    /// Runs `work` on behalf of `command`. `None` when it panicked, which was then reported.
    pub fn guard<T>(&self, command: &str, work: impl FnOnce() -> T) -> Option<T> {
        self.name(command);
        let done = catch_unwind(AssertUnwindSafe(work)).ok();
        self.name("");
        done
    }

    fn name(&self, command: &str) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        command.clone_into(&mut running);
    }
}

fn message(panic: &PanicHookInfo<'_>, command: &str) -> String {
    let payload = panic.payload();
    let what = (payload.downcast_ref::<&str>().copied())
        .or(payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic");
    let place = panic
        .location()
        .map_or(String::new(), |place| format!(", at {place}"));
    let doing = match command {
        "" => String::new(),
        command => format!(", in the command \"{command}\""),
    };
    format!(
        "This is a bug in pydbg{doing}: {}{place}\n\
         Please report it with this message. The target is not harmed and the session goes on.",
        what.lines().next().unwrap_or("")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_command_alone() {
        let running = Running::default();
        assert_eq!(running.guard("bt", || 7), Some(7));
        assert_eq!(running.guard("bt", || -> u8 { panic!("on purpose") }), None);
        assert_eq!(running.guard("bt", || 8), Some(8));
    }
}
