//! A crash of a process with Python in it: what [`crate::native::crash`] tells, with the Python
//! functions of a full stack named too.

use super::{MergedFrame, Python};
use crate::native::crash::{Called, Crash};

impl Python {
    /// The crash that ended the process; `None` when no signal did.
    pub fn crash(&self) -> Option<Crash> {
        self.process.crash(&|thread| self.called(thread))
    }

    /// The functions of a thread's merged stack, innermost first.
    fn called(&self, thread: usize) -> Called {
        let frames = self.merged(thread).frames;
        let names = frames.iter().map(|frame| match frame {
            MergedFrame::Python(frame) => {
                let name = frame.qualname.as_ref().unwrap_or(&frame.function);
                (name.to_string(), true)
            }
            MergedFrame::Native(frame) => {
                let locations = self.process.symbolize(frame);
                let name = locations.last().and_then(|found| found.function.clone());
                (name.unwrap_or_default(), false)
            }
        });
        names.collect()
    }
}
