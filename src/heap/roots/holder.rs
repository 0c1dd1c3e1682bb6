//! Who holds the reference of a root, whichever of its references it is: a module, a frame, a
//! thread, an interpreter.

use super::words::{by_position, frame_place, native_name, thread_name};
use super::{Root, RootKind, Roots};
use crate::escape::escape;
use crate::python::Python;

impl Roots {
    /// Who holds the reference, in words that are the same for all references of one holder.
    pub fn holder(&self, python: &Python, root: &Root) -> String {
        match root.kind {
            RootKind::Module { .. } | RootKind::ExitCallback { .. } => self.words(python, root),
            RootKind::Interpreter { interpreter, .. } => {
                let id = by_position(python, interpreter).map_or(0, |known| known.id);
                format!("interpreter {id}")
            }
            RootKind::SignalHandler | RootKind::Runtime { .. } => "the runtime".to_owned(),
            RootKind::Thread { thread, .. } => {
                format!("the state of {}", thread_name(python, thread))
            }
            RootKind::Frame { thread, level, .. } => {
                format!("frame{}", frame_place(python, thread, level))
            }
            RootKind::Type { .. } => "static types".to_owned(),
            RootKind::Global { image } => match python.process.images.all.get(image as usize) {
                Some(image) => format!("C globals of {}", escape(image.name())),
                None => "C globals".to_owned(),
            },
            RootKind::Stack { thread } | RootKind::Register { thread, .. } => {
                format!("C stack of {}", native_name(python, thread))
            }
        }
    }
}
