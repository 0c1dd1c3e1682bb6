//! Places in code: the program's own, not those of the standard library or the C library that it
//! called.

use super::{Kind, View};
use crate::native::Location;
use crate::python::{PyFrame, PyThread, Python, doing};
use serde::Serialize;
use std::sync::Arc;

/// A place in Python code.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The function's name.
    pub function: Arc<str>,
    /// The file.
    pub file: Arc<str>,
    /// The line that runs.
    pub line: Option<i32>,
}

impl Place {
    pub(super) fn of(frame: &PyFrame) -> Place {
        Place {
            function: Arc::clone(&frame.function),
            file: Arc::clone(&frame.file),
            line: frame.position.line,
        }
    }

    /// Where a thread waits: in the program's own code, where there is any.
    pub(super) fn of_wait(view: &View<'_>, state: &PyThread) -> Option<Place> {
        Place::of_thread(view.python, state)
    }

    /// Where a thread is: in the program's own code, where there is any.
    pub fn of_thread(python: &Python, state: &PyThread) -> Option<Place> {
        let stack = python.stack(state);
        let own = |frame: &&PyFrame| !is_standard(&frame.file);
        let frame = stack.frames.iter().find(own).or(stack.frames.first())?;
        Some(Place::of(frame))
    }
}

/// Whether a file belongs to Python's standard library.
fn is_standard(file: &str) -> bool {
    if doing::library(file).is_some() || file.starts_with("<frozen ") {
        return true;
    }
    let versioned = |folder: &str| {
        let version = folder.strip_prefix("python");
        version.is_some_and(|version| version.contains('.'))
    };
    let folders: Vec<&str> = file.split('/').collect();
    let is_root = |pair: &[&str]| match pair {
        [folder, python] => folder.starts_with("lib") && versioned(python),
        _ => false,
    };
    let Some(root) = folders.windows(2).rposition(is_root) else {
        return false;
    };
    let others = ["site-packages", "dist-packages"];
    !folders
        .iter()
        .skip(root)
        .any(|folder| others.contains(folder))
}

/// Where in C a thread waits for such a thing: the function of an extension or a library that went
/// into the C library, the interpreter's API or the loader.
pub(super) fn in_c(view: &View<'_>, thread: usize, kind: Kind) -> Option<String> {
    let frame = kind
        .is_native()
        .then(|| view.python.foreign_frame(thread))??;
    let image = view.process.images.at(frame.pc.lookup())?.name().to_owned();
    let locations = view.process.symbolize(&frame);
    // What a C++ library has in its headers is inlined into the program's own functions.
    let own = |location: &&Location| {
        let file = location.file.as_deref().unwrap_or_default();
        !file.contains("/include/c++/")
    };
    let location = locations.iter().find(own).or(locations.last())?;
    let function = match &location.function {
        Some(name) => format!("C function {name}()"),
        None => "C code".into(),
    };
    let place = match (&location.file, location.line) {
        (Some(file), Some(line)) => format!(", {file}:{line}"),
        _ => String::new(),
    };
    Some(format!("{function} of {image}{place}"))
}

#[cfg(test)]
mod tests {
    use super::is_standard;

    #[test]
    fn the_standard_library_is_no_place_of_a_program() {
        for (file, standard) in [
            ("/usr/lib/python3.11/logging/__init__.py", true),
            ("/opt/py/lib/python2.7/Queue.py", true),
            ("/usr/lib64/python3.9/ctypes/__init__.py", true),
            ("<frozen importlib._bootstrap>", true),
            ("/opt/py/lib/python3.12/site-packages/flask/app.py", false),
            ("/usr/lib/python3/dist-packages/apt.py", false),
            ("/srv/python3.12/server.py", false),
            ("server.py", false),
            ("/usr/lib", false),
        ] {
            assert_eq!(is_standard(file), standard, "{file}");
        }
    }
}
