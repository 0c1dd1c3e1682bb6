//! The names of the functions on a native stack, and which of them belong to whom: as much as
//! it takes to say what the thread does.

use crate::addr::Addr;
use crate::image::Image;
use crate::native::Process;
use crate::python::eval_frames::{self, Loops};
use crate::python::layout::Layout;
use crate::unwind::{NativeFrame, NativeStack};

/// How many frames are looked at, from the innermost one and from the outermost one.
const INNERMOST: usize = 256;
const OUTERMOST: usize = 32;

/// Whose code a function is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// The interpreter's.
    Interpreter,
    /// An extension module of the standard library's.
    Standard,
    /// What calls foreign functions: ctypes, cffi, libffi.
    Glue,
    /// The C library's, the loader's, the kernel's.
    System,
    /// Another extension's or library's.
    Other,
}

/// One function on the stack.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// Without the compiler's suffixes; empty when no symbol covers it.
    pub(super) name: String,
    /// The file it is in.
    pub(super) image: String,
    pub(super) owner: Owner,
    /// An activation of the evaluation loop.
    pub(super) is_loop: bool,
    /// The trampoline of a signal handler.
    pub(super) is_trampoline: bool,
    position: usize,
}

impl Function {
    /// `C function "frob" of libfrob.so`.
    pub(super) fn words(&self) -> String {
        let of = match (self.owner, self.image.as_str()) {
            (Owner::Interpreter, _) | (_, "") => String::new(),
            (_, image) => format!(" of {image}"),
        };
        match self.name.as_str() {
            "" => format!("C code{of}"),
            name => format!("C function {name}(){of}"),
        }
    }
}

/// The functions on one stack, innermost first; the middle of a deep one is left out.
pub(super) struct Outline {
    pub(super) functions: Vec<Function>,
}

impl Outline {
    /// Names the functions of thread `id`. `markers` are what activations of the evaluation loop
    /// leave on the stack.
    pub(super) fn of(
        process: &Process,
        layout: Option<&Layout>,
        id: usize,
        markers: &[Addr],
    ) -> Outline {
        let stack = process.stack(id);
        let frames = stack.as_ref().map_or(&[][..], |stack| &stack.frames);
        let interpreter = layout.and_then(|layout| {
            let exported = process.images.exported(layout.kinds.eval_function);
            exported.map(|(image, _, _)| image.start)
        });
        let tail = frames.len().saturating_sub(OUTERMOST);
        let wanted = frames.iter().enumerate();
        let wanted = wanted.filter(|(at, _)| *at < INNERMOST || *at >= tail);
        let functions = wanted.map(|(position, frame)| {
            let image = process.images.at(frame.pc.lookup());
            let symbol = process.symbol(frame.pc.lookup());
            let name = symbol
                .and_then(|symbol| symbol.function)
                .unwrap_or_default();
            let name = plain(&name);
            let owner = match image {
                Some(image) if Some(image.start) == interpreter => Owner::Interpreter,
                Some(image) => owner(image),
                None => Owner::Other,
            };
            Function {
                is_loop: layout.is_some_and(|layout| {
                    let kinds = &layout.kinds;
                    let handles = kinds.opcode_functions;
                    eval_frames::is_part_of(name, kinds.eval_function)
                        || handles.is_some_and(|prefix| name.starts_with(prefix))
                        || markers.iter().any(|marker| holds(frame, *marker))
                }),
                is_trampoline: frame.signal_trampoline,
                name: name.to_owned(),
                image: image.map_or(String::new(), |image| image.name().to_owned()),
                owner,
                position,
            }
        });
        Outline {
            functions: functions.collect(),
        }
    }

    /// Whether there is no stack.
    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Whether Python is on the stack.
    pub(super) fn has_loop(&self) -> bool {
        self.functions.iter().any(|function| function.is_loop)
    }

    /// The functions that the innermost activation of the evaluation loop has called; all of
    /// them where there is none.
    pub(super) fn called(&self) -> &[Function] {
        let end = self.functions.iter().position(|function| function.is_loop);
        self.functions
            .get(..end.unwrap_or(self.functions.len()))
            .unwrap_or_default()
    }

    /// Whether one of these functions of the interpreter was called.
    pub(super) fn calls(&self, names: &[&str]) -> bool {
        self.called()
            .iter()
            .any(|function| names.contains(&function.name.as_str()))
    }

    /// The outermost function of an extension or library that Python has called.
    pub(super) fn foreign(&self) -> Option<&Function> {
        let mut called = self.called().iter().rev();
        called.find(|function| function.owner == Owner::Other && self.has_loop())
    }

    /// Where on the native stack the innermost function of an extension or library is, above the
    /// innermost activation of the evaluation loop. C++'s own library waits for others.
    pub(super) fn innermost_foreign(&self) -> Option<usize> {
        let foreign = |function: &&Function| {
            function.owner == Owner::Other && !function.image.starts_with("libstdc++")
        };
        let found = self.called().iter().find(foreign)?;
        Some(found.position)
    }

    /// Which of these frame objects the innermost activation of the evaluation loop runs.
    pub(super) fn loop_runs(
        &self,
        process: &Process,
        native: &NativeStack,
        frames: &[Addr],
    ) -> Option<usize> {
        let innermost = self.functions.iter().find(|function| function.is_loop)?;
        let memory = &*process.target.memory;
        let held = |frame: &Addr| {
            let loops = Loops::new(memory, &native.frames, &[innermost.position]);
            !loops.match_frames(&[*frame]).is_empty()
        };
        let mut held = frames.iter().enumerate().filter(|(_, frame)| held(frame));
        let found = held.next()?.0;
        held.next().is_none().then_some(found)
    }
}

/// Whether a frame's part of the stack holds the marker.
fn holds(frame: &NativeFrame, marker: Addr) -> bool {
    frame.sp <= marker && frame.cfa.is_some_and(|cfa| marker < cfa)
}

/// A symbol without what compilers append to the names of functions they split or specialize.
fn plain(name: &str) -> &str {
    name.split(['.', ' ', '@']).next().unwrap_or(name)
}

fn owner(image: &Image) -> Owner {
    let name = image.name();
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if begins(&["_ctypes.", "libffi", "_cffi_backend."]) {
        Owner::Glue
    } else if image.is_vdso() || begins(&["libc.so", "libc-", "libpthread", "ld-", "libm.so"]) {
        Owner::System
    } else if image.path.contains("/lib-dynload/") {
        Owner::Standard
    } else {
        Owner::Other
    }
}
