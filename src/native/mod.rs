//! The process as the kernel and glibc see it: threads, the system calls they sit in, symbols of
//! their frames.

pub mod crash;
pub mod demangle;
pub mod doing;
pub(crate) mod futex;
#[cfg(test)]
mod gdb_compare_tests;
pub mod outside;
pub mod place;
pub(crate) mod spread;
pub mod symbolize;
pub mod syscall;
mod syscall_fds;
mod syscall_names;
mod syscall_restart;
mod syscall_words;

use crate::addr::Addr;
use crate::diag::Cancel;
use crate::dwarf::Lines;
use crate::image::Images;
use crate::target::Target;
use crate::target::live::LiveHold;
use crate::unwind::{End, NativeFrame, NativeStack, Unwinder};
pub use doing::Doing;
use outside::{Nothing, Outside, Told};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
pub use symbolize::Location;
pub use syscall::SyscallState;

/// The most frames of one stack. The deepest real ones, of endless recursion on the usual 8 MiB
/// of stack, have about a quarter of a million.
const MOST_FRAMES: usize = 300_000;

/// A target with its images.
pub struct Process {
    /// The process image.
    pub target: Arc<Target>,
    /// The ELF files mapped in it.
    pub images: Images,
    /// Stops long work.
    pub cancel: Cancel,
    threads: OnceLock<Vec<NativeThread>>,
    by_tid: OnceLock<FxHashMap<i32, usize>>,
    unwinder: Unwinder,
    /// By position in the target's threads.
    stacks: Vec<Mutex<Option<Arc<NativeStack>>>>,
    /// By position in the images.
    lines: Vec<OnceLock<Option<Lines>>>,
    locations: Mutex<FxHashMap<Addr, Vec<Location>>>,
}

/// One native thread, numbered as gdb numbers: 1 is the crashed or first one.
#[derive(Clone, Debug, Serialize)]
pub struct NativeThread {
    /// The number of `thread N`.
    pub id: usize,
    /// The LWP id.
    pub tid: i32,
    /// glibc's `pthread_t`: the thread pointer.
    pub pthread: Option<Addr>,
    /// The kernel's name (comm) of the thread, if known.
    pub os_name: Option<String>,
    /// The system call it sits in, if any.
    pub syscall: Option<SyscallState>,
}

impl Process {
    /// Looks at the mapped files of `target`.
    pub fn new(target: Arc<Target>) -> Process {
        let images = Images::find(&target);
        Process {
            cancel: target.files.options.cancel.clone(),
            threads: OnceLock::new(),
            by_tid: OnceLock::new(),
            unwinder: Unwinder::new(&images),
            stacks: target.threads.iter().map(|_| Mutex::default()).collect(),
            locations: Mutex::default(),
            lines: images.all.iter().map(|_| OnceLock::new()).collect(),
            target,
            images,
        }
    }

    /// All threads, in the target's order.
    pub fn threads(&self) -> &[NativeThread] {
        self.threads.get_or_init(|| self.find_threads())
    }

    /// The gdb number of the thread with LWP id `tid`.
    pub fn id_of(&self, tid: i32) -> Option<usize> {
        let by_tid = self.by_tid.get_or_init(|| {
            let threads = self.threads().iter();
            threads.map(|thread| (thread.tid, thread.id)).collect()
        });
        by_tid.get(&tid).copied()
    }

    fn find_threads(&self) -> Vec<NativeThread> {
        let process = &self.target.process;
        let outside: Box<dyn Outside> = match self.target.proc_files() {
            Some(files) => Box::new(Told::by(files)),
            None => Box::new(Nothing),
        };
        let threads = self.target.threads.iter().enumerate();
        threads
            .map(|(index, thread)| {
                let registers = thread.registers.as_ref();
                // A core knows the name of the process, which is that of its first thread.
                let main = (thread.tid == process.pid).then_some(process.comm.as_ref());
                let pthread = registers.and_then(|registers| registers.thread_pointer);
                NativeThread {
                    id: index + 1,
                    tid: thread.tid,
                    pthread: pthread.filter(|&pointer| pointer != 0).map(Addr),
                    os_name: thread.name.as_ref().or(main.flatten()).cloned(),
                    syscall: registers.and_then(|registers| {
                        syscall::decode(registers, &*self.target.memory, &*outside)
                    }),
                }
            })
            .collect()
    }

    /// The native stack of thread `id` (gdb number), computed once and remembered; `None` when
    /// there is no such thread. Several threads may ask at once.
    pub fn stack(&self, id: usize) -> Option<Arc<NativeStack>> {
        let index = id.checked_sub(1)?;
        let thread = self.target.threads.get(index)?;
        let slot = self.stacks.get(index)?;
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*slot {
            return Some(Arc::clone(known));
        }
        let registers = thread.registers.unwrap_or_default();
        let stack = self.unwinder.walk(
            &self.target,
            &self.images,
            &registers,
            MOST_FRAMES,
            &self.cancel,
        );
        let stack = Arc::new(stack);
        if stack.end != End::Cancelled {
            self.note(id, &stack);
            *slot = Some(Arc::clone(&stack));
        }
        Some(stack)
    }

    /// Computes the native stacks of all threads, on all processors when there are many; worth
    /// calling before a command that shows every thread.
    pub fn stacks(&self) {
        let ids: Vec<usize> = (1..=self.target.threads.len()).collect();
        spread::map(&ids, |id| {
            if !self.cancel.is_cancelled() {
                self.stack(*id);
            }
        });
    }

    /// Notes what is missing or less sure about a stack.
    fn note(&self, id: usize, stack: &NativeStack) {
        let live = self.target.live();
        let tid = id
            .checked_sub(1)
            .and_then(|index| self.target.threads.get(index));
        let of = |live: &LiveHold| tid.is_some_and(|thread| live.spared().contains(&thread.tid));
        if live.is_some_and(of) {
            // It does not matter to what was asked.
            return;
        }
        let notes = &self.target.notes;
        let guessed = |frame: &&NativeFrame| frame.trust.is_guess();
        let count = stack.frames.iter().filter(guessed).count();
        if count > 0 {
            let all = stack.frames.len();
            notes.partial(format!(
                "thread {id}: {count} of {all} native frames were found without call frame \
                 information and may be wrong"
            ));
        }
        match &stack.end {
            End::Lost(why) => notes.partial(format!("thread {id}: the native stack is cut: {why}")),
            End::Loop => notes.partial(format!("thread {id}: the native stack runs into itself")),
            End::Limit => notes.partial(format!(
                "thread {id}: only the innermost {MOST_FRAMES} native frames are looked at"
            )),
            End::Outermost | End::Cancelled => {}
        }
    }
}
