//! The main thread, in which Python runs signal handlers (Modules/signalmodule.c): while it waits
//! for a lock, a handler may do what others wait for, and what it waits for itself.

use super::View;
use crate::addr::Addr;
use crate::python::signals::Handlers;
use std::cell::OnceCell;

/// The main thread, and what it runs on signals.
pub(super) struct MainThread<'v, 'p> {
    view: &'v View<'p>,
    /// Its number (gdb), where it is known.
    thread: Option<usize>,
    handlers: OnceCell<Handlers>,
}

impl<'v, 'p> MainThread<'v, 'p> {
    pub(super) fn of(view: &'v View<'p>) -> MainThread<'v, 'p> {
        let first = view.process.id_of(view.process.target.process.pid);
        // Where Python is embedded, another thread may have started it: the one whose state is the
        // oldest.
        let oldest = || {
            let main = view.python.interpreters.iter().find(|i| i.id == 0)?;
            view.process.id_of(main.threads.last()?.tid?)
        };
        MainThread {
            view,
            thread: first
                .filter(|first| view.state(*first).is_some())
                .or_else(oldest),
            handlers: OnceCell::new(),
        }
    }

    fn handlers(&self) -> &Handlers {
        self.handlers
            .get_or_init(|| self.view.python.signal_handlers())
    }

    /// The thread (gdb number), where it may run a signal handler at any time.
    pub(super) fn interruptible(&self) -> Option<usize> {
        match self.handlers() {
            Handlers::Known(all) if all.is_empty() => None,
            _ => self.thread,
        }
    }

    /// What a thread may call besides what its own code calls: signal handlers, and what is to be
    /// called at the end. `None` where nothing tells.
    pub(super) fn callbacks_of(&self, thread: usize) -> Option<Vec<Addr>> {
        if self.thread != Some(thread) {
            return Some(Vec::new());
        }
        let Handlers::Known(handlers) = self.handlers() else {
            return None;
        };
        let mut all = self.view.python.exit_callbacks().ok()?;
        all.extend(handlers);
        Some(all)
    }
}
