//! Threads as they are shown: the kernel's, Python's, or both in one.

use crate::cli::{Out, Session, Style};
use pydbg::Addr;
use pydbg::native::{Doing, NativeThread, SyscallState};
use pydbg::python::{Attachment, PyThread, doing};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// One thread: a native one, with its Python thread state if it has one, or a Python thread state
/// without a native thread.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadView {
    /// gdb's number.
    pub id: Option<usize>,
    /// The LWP id.
    pub tid: Option<i32>,
    /// glibc's `pthread_t`.
    pub pthread: Option<Addr>,
    /// `threading.get_ident()`.
    pub ident: Option<Addr>,
    /// Address of its `PyThreadState`.
    pub tstate: Option<Addr>,
    /// The name of the `threading.Thread`.
    pub name: Option<String>,
    /// The kernel's name.
    pub os_name: Option<String>,
    /// The interpreter's id.
    pub interpreter: Option<i64>,
    /// Whether it holds the GIL.
    pub holds_gil: bool,
    /// Whether it waits for the GIL.
    pub waits_for_gil: Option<bool>,
    /// The system call it sits in.
    pub syscall: Option<SyscallState>,
    /// What it is doing, where the command looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<Doing>,
    /// Whether it may touch Python objects (3.13+).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Attachment>,
    /// Its Python thread state.
    #[serde(skip)]
    pub python: Option<Arc<PyThread>>,
}

impl ThreadView {
    fn of(
        session: &Session,
        native: Option<&NativeThread>,
        python: Option<&Arc<PyThread>>,
    ) -> ThreadView {
        let found = session.inferior.found();
        ThreadView {
            id: native.map(|thread| thread.id),
            tid: native
                .map(|thread| thread.tid)
                .or_else(|| python.and_then(|thread| thread.tid)),
            pthread: native.and_then(|thread| thread.pthread),
            ident: python.and_then(|thread| thread.ident).map(Addr),
            tstate: python.map(|thread| thread.tstate),
            name: python.and_then(|thread| thread.name.clone()),
            os_name: native.and_then(|thread| thread.os_name.clone()),
            interpreter: python.map(|thread| thread.interpreter),
            holds_gil: python.is_some_and(|thread| thread.holds_gil),
            waits_for_gil: python.and_then(|thread| found?.waits_for_gil(thread)),
            syscall: native.and_then(|thread| thread.syscall.clone()),
            doing: None,
            attachment: python.and_then(|thread| thread.attachment),
            python: python.cloned(),
        }
    }

    /// Thread `id` of the target; of several Python thread states the one that runs.
    pub fn find(session: &Session, id: usize) -> anyhow::Result<ThreadView> {
        let native = session
            .process()?
            .threads()
            .get(id.wrapping_sub(1))
            .ok_or_else(|| anyhow::anyhow!("Unknown thread {id}."))?;
        let state = session
            .inferior
            .found()
            .and_then(|python| python.thread_of(native.tid));
        Ok(ThreadView::of(session, Some(native), state))
    }

    /// All threads: the native ones in their order, then the Python thread states that have none.
    /// A native thread with a state in several interpreters comes once for each.
    pub fn all(session: &Session) -> anyhow::Result<Vec<ThreadView>> {
        let natives = session.process()?.threads();
        let mut states: BTreeMap<Option<i32>, Vec<&Arc<PyThread>>> = BTreeMap::new();
        for state in session
            .inferior
            .found()
            .into_iter()
            .flat_map(|python| python.threads())
        {
            states.entry(state.tid).or_default().push(state);
        }
        let mut views = Vec::with_capacity(natives.len());
        for native in natives {
            match states.remove(&Some(native.tid)) {
                None => views.push(ThreadView::of(session, Some(native), None)),
                Some(mine) => {
                    let of = |state| ThreadView::of(session, Some(native), Some(state));
                    views.extend(mine.into_iter().map(of));
                }
            }
        }
        let orphans = states.into_values().flatten();
        views.extend(orphans.map(|state| ThreadView::of(session, None, Some(state))));
        Ok(views)
    }

    /// Finds out what it is doing, which takes its native stack.
    pub fn look(&mut self, session: &Session) {
        let id = self.id;
        self.doing = match (session.inferior.found(), session.process(), id) {
            (Some(python), _, _) => Some(python.doing(id, self.python.as_deref())),
            (None, Ok(process), Some(id)) => Some(doing::natively(process, id)),
            _ => None,
        };
    }

    /// gdb's name of the thread: `Thread 0x7f51499c5b80 (LWP 9340)`.
    pub fn target_id(&self) -> String {
        match (self.pthread.or(self.ident), self.tid) {
            (Some(pthread), Some(tid)) => format!("Thread {pthread} (LWP {tid})"),
            (Some(pthread), None) => format!("Thread {pthread}"),
            (None, Some(tid)) => format!("LWP {tid}"),
            (None, None) => "Thread without an id".to_owned(),
        }
    }

    /// What a thread has to do with the GIL, if anything.
    pub fn gil(&self) -> Option<&'static str> {
        match (self.holds_gil, self.waits_for_gil) {
            (true, _) => Some("holds the GIL"),
            (false, Some(true)) => Some("waits for the GIL"),
            (false, _) => None,
        }
    }

    /// Prints the header of a thread's Python stack:
    /// `Thread 2 (LWP 9701, "xfer-ab", holds the GIL):`
    pub fn header(&self, out: &mut Out<'_>) -> io::Result<()> {
        let title = match self.id {
            Some(id) => format!("Thread {id}"),
            None => "Thread".to_owned(),
        };
        out.styled(Style::Strong, &title)?;
        out.put(format_args!(" ("))?;
        let mut parts = Vec::new();
        match (self.tid, self.ident) {
            (Some(tid), _) if self.id.is_some() => parts.push(format!("LWP {tid}")),
            (_, Some(ident)) => parts.push(format!("ident {ident}")),
            _ => {}
        }
        if let Some(name) = self.name.as_ref().or(self.os_name.as_ref()) {
            parts.push(format!("\"{name}\""));
        }
        if let Some(interpreter) = self.interpreter.filter(|id| *id != 0) {
            parts.push(format!("interpreter {interpreter}"));
        }
        match &self.doing {
            Some(doing) => {
                parts.extend(self.holds_gil.then(|| "holds the GIL".to_owned()));
                parts.push(doing.text.clone());
            }
            None => {
                parts.extend(self.gil().map(str::to_owned));
                parts.extend(self.id.is_none().then(|| "no native thread".to_owned()));
            }
        }
        out.target(&parts.join(", "))?;
        out.put(format_args!("):\n"))
    }
}
