//! What a thread that waits for a lock really waits for, by the Python functions that led there
//! (Lib/threading.py, Lib/queue.py, Lib/concurrent/futures), else by its source line.

use crate::native::doing::{Doing, Kind};
use crate::python::{PyFrame, PyThread, Python};

/// The longest piece of source that is shown, in characters.
const LONGEST: usize = 60;

impl Python {
    /// Says more of a wait for a lock.
    pub(super) fn lock_wait(&self, waits: Doing, state: &PyThread) -> Doing {
        let stack = self.stack(state);
        let limit = waits.text.strip_prefix("waiting for a lock").unwrap_or("");
        let library: Vec<(&str, &str)> = stack
            .frames
            .iter()
            .map_while(|frame| Some((module(&frame.file)?, &*frame.function)))
            .collect();
        if let Some((kind, what)) = waited_for(&library) {
            return Doing::plain(kind, format!("waiting for {what}{limit}"));
        }
        match stack
            .frames
            .first()
            .and_then(|frame| self.expression(frame))
        {
            Some(source) => {
                let text = format!("waiting for a lock{limit}: {source}");
                Doing::plain(Kind::WaitingForLock, text)
            }
            None => waits,
        }
    }

    /// The source of the expression that a frame evaluates, or of its whole line where it is a
    /// `with` statement or the version knows no columns.
    fn expression(&self, frame: &PyFrame) -> Option<String> {
        let position = &frame.position;
        let source = self.source(frame, &[]).ok()?;
        let line = source
            .lines
            .get(usize::try_from(position.line?).ok()?.checked_sub(1)?)?;
        let whole = line.trim();
        let is_with = ["with ", "async with "]
            .iter()
            .any(|word| whole.starts_with(word));
        let columns = match (position.column, position.end_column) {
            (Some(start), Some(end)) if position.end_line == position.line && !is_with => {
                line.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
            }
            _ => None,
        };
        let text = columns.unwrap_or(whole);
        (!text.is_empty() && text.chars().count() <= LONGEST).then(|| text.to_owned())
    }
}

/// The name of a module of the standard library that a file is, of those known here.
pub(crate) fn module(file: &str) -> Option<&'static str> {
    const FROZEN: [&str; 2] = [
        "<frozen importlib._bootstrap>",
        "<frozen importlib._bootstrap_external>",
    ];
    if FROZEN.contains(&file) {
        return Some("importlib");
    }
    const MODULES: &[(&str, &str)] = &[
        ("/threading.py", "threading"),
        ("/queue.py", "queue"),
        ("/Queue.py", "queue"),
        ("/concurrent/futures/_base.py", "futures"),
        ("/concurrent/futures/thread.py", "executor"),
        ("/asyncio/runners.py", "asyncio.runners"),
        ("/importlib/__init__.py", "importlib"),
        ("/multiprocessing/synchronize.py", "multiprocessing"),
    ];
    let (end, name) = MODULES.iter().find(|(end, _)| file.ends_with(end))?;
    let folder = file.strip_suffix(end)?.rsplit('/').next()?;
    folder.starts_with("python").then_some(*name)
}

/// What functions of the standard library wait for, innermost first. Those that every thread
/// begins with, and those in which an executor's thread runs work, say nothing of it.
fn waited_for(library: &[(&str, &str)]) -> Option<(Kind, &'static str)> {
    const BEGIN: &[(&str, &str)] = &[
        ("threading", "run"),
        ("threading", "_bootstrap_inner"),
        ("threading", "_bootstrap"),
        ("threading", "__bootstrap_inner"),
        ("threading", "__bootstrap"),
    ];
    let ends = |at: &(&str, &str)| BEGIN.contains(at) || *at == ("executor", "run");
    let end = library.iter().position(ends).unwrap_or(library.len());
    let library = library.get(..end)?;
    let outer = library.last()?;
    let has = |module: &str, function: &str| library.contains(&(module, function));
    let waits = library.iter().filter(|(_, name)| *name == "wait").count();
    let lock = |what| Some((Kind::WaitingForLock, what));
    match *outer {
        ("queue", "get") => lock("an item of a queue"),
        ("queue", "put") => lock("room in a queue"),
        ("queue", "join") => lock("a queue to be worked off"),
        ("futures", "result" | "exception") => lock("the result of a future"),
        ("executor", "_worker") => lock("work for its pool"),
        _ if has("threading", "start") => Some((Kind::WaitingForThread, "a thread to start")),
        _ if has("executor", "shutdown") || has("executor", "_python_exit") => {
            Some((Kind::WaitingForThread, "the threads of a pool to end"))
        }
        ("futures", _) => lock("futures"),
        ("importlib", _) => lock("the import of a module"),
        ("multiprocessing", "wait" | "wait_for") => lock("another process"),
        ("multiprocessing", _) => lock("a lock that processes share"),
        ("threading", "join" | "_wait_for_tstate_lock") => {
            Some((Kind::WaitingForThread, "a thread to end"))
        }
        ("threading", "_shutdown" | "_exitfunc" | "__call__") => {
            Some((Kind::WaitingForThread, "threads to end"))
        }
        ("threading", "acquire" | "__enter__") if waits > 0 || library.len() > 1 => {
            lock("a semaphore")
        }
        ("threading", "wait") if has("threading", "_wait") => lock("a barrier"),
        ("threading", "wait") if waits > 1 => lock("an event"),
        ("threading", "wait" | "wait_for") => lock("a condition"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_library_tell_what_is_waited_for() {
        let said = |names: &[(&str, &str)]| waited_for(names).map(|(_, what)| what);
        let wait = ("threading", "wait");
        assert_eq!(said(&[wait]), Some("a condition"));
        assert_eq!(said(&[wait, wait]), Some("an event"));
        assert_eq!(said(&[wait, ("queue", "get")]), Some("an item of a queue"));
        assert_eq!(
            said(&[
                wait,
                ("threading", "wait_for"),
                ("threading", "_wait"),
                wait
            ]),
            Some("a barrier")
        );
        let begin = [("threading", "run"), ("threading", "_bootstrap_inner")];
        let worker = ("executor", "_worker");
        assert_eq!(
            said(&[worker, begin[0], begin[1]]),
            Some("work for its pool")
        );
        assert_eq!(
            said(&[wait, wait, ("executor", "run"), worker, begin[0]]),
            Some("an event")
        );
        let exit = ("futures", "__exit__");
        assert_eq!(
            said(&[("threading", "join"), ("executor", "shutdown"), exit]),
            Some("the threads of a pool to end")
        );
        assert_eq!(said(&[]), None);
    }

    #[test]
    fn only_files_of_the_library_count() {
        assert_eq!(
            module("/usr/lib/python3.11/threading.py"),
            Some("threading")
        );
        assert_eq!(module("<frozen importlib._bootstrap>"), Some("importlib"));
        assert_eq!(module("/home/me/project/queue.py"), None);
        assert_eq!(module("queue.py"), None);
    }
}
