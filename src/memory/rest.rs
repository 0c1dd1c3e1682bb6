//! What memory is for that no allocator speaks for, as its mapping tells.

use super::what::What;
use crate::native::Process;
use crate::target::Mapping;
use rustc_hash::FxHashSet;

/// Folders and names of memory that is shared, as the kernel names it: POSIX shared memory,
/// memfd_create(2), System V shared memory, anonymous shared mappings.
const SHARED: [&str; 4] = ["/dev/shm/", "/memfd:", "/SYSV", "/dev/zero"];

/// Tells the mappings apart.
pub(super) struct Rest<'p> {
    process: &'p Process,
    /// The starts of the mappings that have the stacks of threads.
    stacks: FxHashSet<u64>,
    /// What memory without a name is for.
    nameless: What,
}

impl<'p> Rest<'p> {
    /// Of a process; `other_malloc` when another allocator than glibc's serves malloc.
    pub(super) fn new(process: &'p Process, other_malloc: bool) -> Rest<'p> {
        let threads = process.threads().iter();
        let stacks = threads.filter_map(|thread| process.stack_mapping(thread.id));
        let nameless = match other_malloc {
            true => What::OtherMalloc,
            false => What::Unknown,
        };
        Rest {
            process,
            stacks: stacks.map(|mapping| mapping.start.0).collect(),
            nameless,
        }
    }

    /// What a mapping is for, where nobody else says so.
    pub(super) fn of(&self, mapping: &Mapping) -> What {
        let path = mapping.path.as_deref();
        let shared = |path: &str| SHARED.iter().any(|start| path.starts_with(start));
        match path {
            Some("[stack]") => What::ThreadStacks,
            _ if self.stacks.contains(&mapping.start.0) => What::ThreadStacks,
            Some(path) if shared(path) => What::Shared,
            // A file that is only read is the same for all who map it.
            _ if mapping.shared && mapping.write => What::Shared,
            Some(_) if mapping.file().is_some() => What::Files,
            _ if mapping.shared => What::Shared,
            // The kernel's own pages, a kind of library.
            Some("[vdso]" | "[vvar]" | "[vvar_vclock]" | "[vsyscall]") => What::Files,
            // What a library has beyond the end of its file.
            None if self.process.images.at(mapping.start).is_some() => What::Files,
            _ => self.nameless,
        }
    }
}
