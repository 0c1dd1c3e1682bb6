//! Who waits for the GIL where neither the thread state nor a symbol tells: up to 3.6 an interpreter
//! without symbols does not say where its GIL lies. The native stacks of those who take it do.

use super::{PyThread, Python};
use crate::addr::Addr;
use crate::image::Image;
use crate::native::NativeThread;
use crate::native::futex::Futex;
use std::ops::Range;
use std::sync::Arc;

/// The words of a condition variable on which threads may sleep lie beside each other.
const WORD: u64 = 4;

/// The exported functions of all versions with a GIL that take it and wait for nothing else
/// (Python/ceval.c).
const TAKERS: [&str; 3] = [
    "PyEval_RestoreThread",
    "PyEval_AcquireThread",
    "PyEval_AcquireLock",
];

/// A function that takes the GIL: the file that has it, and its code.
type Taker<'a> = (&'a Arc<Image>, Range<Addr>);

impl Python {
    /// Whether a thread waits for the GIL: its state tells, or it sleeps where others do that are
    /// about to take it; `None` when nothing tells.
    pub fn waits_for_gil(&self, thread: &PyThread) -> Option<bool> {
        thread.waits_for_gil.or_else(|| {
            let futex = Futex::of(self.native_of(thread)?)?;
            let mut known = self.gil_futexes.get_or_init(|| self.find_futexes()).iter();
            known
                .any(|known| known.0.abs_diff(futex.addr.0) <= WORD)
                .then_some(true)
        })
    }

    fn native_of(&self, thread: &PyThread) -> Option<&NativeThread> {
        let id = self.process.id_of(thread.tid?)?;
        self.process.threads().get(id.checked_sub(1)?)
    }

    /// The futexes on which threads sleep that are about to take the GIL.
    fn find_futexes(&self) -> Vec<Addr> {
        let images = &self.process.images;
        let takers = TAKERS.iter().filter_map(|name| images.exported(name));
        let takers: Vec<Taker<'_>> = takers
            .map(|(image, start, size)| (image, start..Addr(start.0.saturating_add(size))))
            .collect();
        let unsure = self.threads();
        let unsure = unsure.filter(|thread| thread.waits_for_gil.is_none());
        let found = unsure.filter_map(|thread| {
            let native = self.native_of(thread)?;
            let futex = Futex::of(native)?;
            self.takes_it(native, &takers).then_some(futex.addr)
        });
        found.collect()
    }

    /// Whether a thread is in a function that takes the GIL: below it there are only frames of the
    /// same file and of the C library.
    fn takes_it(&self, thread: &NativeThread, takers: &[Taker<'_>]) -> bool {
        let Some(stack) = self.process.stack(thread.id) else {
            return false;
        };
        let images = &self.process.images;
        let threads = images
            .exported("pthread_mutex_lock")
            .map(|(image, ..)| image);
        for frame in stack.frames.iter().take_while(|f| !f.trust.is_guess()) {
            let pc = frame.pc.lookup();
            if takers.iter().any(|(_, range)| range.contains(&pc)) {
                return true;
            }
            let mut between = takers.iter().map(|(image, _)| *image).chain(threads);
            if !between.any(|image| (image.start..image.end).contains(&pc)) {
                return false;
            }
        }
        false
    }
}
