//! Ctrl-C: cancels the command that runs and keeps the session. At the prompt the line editor
//! sees the key itself; a signal that comes then would leave the terminal raw, so it is ignored.

use super::out::complain;
use pydbg::diag::Cancel;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What pydbg is doing when Ctrl-C comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Mode {
    /// Waiting for input that is not a terminal: Ctrl-C ends pydbg.
    Idle,
    /// Running a command: Ctrl-C cancels it.
    Busy,
    /// A pager, a shell or the line editor has the terminal: Ctrl-C is its business.
    Lent,
}

/// How often Ctrl-C must be pressed before a command that does not listen is given up, and
/// pydbg with it.
const PRESSES_TO_LEAVE: u8 = 3;

/// The switch between the modes.
#[derive(Clone, Default)]
pub struct Interrupt {
    mode: Arc<AtomicU8>,
    presses: Arc<AtomicU8>,
}

impl Interrupt {
    /// Takes over SIGINT for the rest of the program. A live target is let go by the kernel when
    /// pydbg ends by the signal.
    pub fn install(cancel: Cancel) -> io::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let state = interrupt.clone();
        let mut signals = Signals::new([SIGINT])?;
        std::thread::Builder::new()
            .name("interrupt".into())
            .spawn(move || {
                for _ in signals.forever() {
                    state.pressed(&cancel);
                }
            })?;
        Ok(interrupt)
    }

    /// Says what pydbg does from now on.
    pub fn enter(&self, mode: Mode) {
        self.presses.store(0, Ordering::Relaxed);
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    fn pressed(&self, cancel: &Cancel) {
        let mode = self.mode.load(Ordering::Relaxed);
        if mode == Mode::Lent as u8 {
            return;
        }
        let presses = self.presses.fetch_add(1, Ordering::Relaxed) + 1;
        if mode == Mode::Idle as u8 || presses >= PRESSES_TO_LEAVE {
            // It only fails for signals that have no default action.
            _ = emulate_default_handler(SIGINT);
        }
        cancel.cancel();
        if presses > 1 {
            complain("Quit asked for; press Ctrl-C once more to leave pydbg.");
        }
    }
}
