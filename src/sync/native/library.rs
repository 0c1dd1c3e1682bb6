//! Native locks that have no name of their own: which library they belong to, by where they lie or by
//! whose code waits for them. An allocator's are mostly such.

use super::super::View;
use crate::addr::Addr;
use crate::image::Image;
use std::path::Path;
use std::sync::Arc;

/// What the code belongs to that all others call: the C library, and CPython.
const EVERYBODYS: [&str; 3] = [
    "gnu_get_libc_version",
    "pthread_mutex_lock",
    "Py_IsInitialized",
];

/// `a lock of libjemalloc.so.2`, for the lock at `address` that these threads wait for (gdb numbers);
/// `None` where the waiters disagree, or come from code that everybody calls.
pub(in crate::sync) fn name(view: &View<'_>, address: Addr, waiters: &[usize]) -> Option<String> {
    let library = match view.process.images.at(address) {
        Some(image) => image,
        None => {
            let mut all = waiters.iter().map(|thread| of_waiter(view, *thread));
            let first = all.next()??;
            all.all(|other| other.is_some_and(|other| other.path == first.path))
                .then_some(first)?
        }
    };
    let name = Path::new(&library.path).file_name()?.to_str()?;
    Some(format!("a lock of {name}"))
}

/// The library whose code calls the function that the thread is blocked in.
fn of_waiter<'v>(view: &View<'v>, thread: usize) -> Option<&'v Arc<Image>> {
    let images = &view.process.images;
    let stack = view.process.stack(thread)?;
    let mut frames = stack
        .frames
        .iter()
        .take_while(|frame| !frame.trust.is_guess());
    let libc = EVERYBODYS.map(|name| images.exported(name).map(|(image, ..)| &image.path));
    let image = frames.find_map(|frame| {
        let image = images.at(frame.pc.lookup())?;
        let is_c_library = libc
            .iter()
            .take(2)
            .flatten()
            .any(|path| **path == image.path);
        (!is_c_library).then_some(image)
    })?;
    let is_pythons = libc.last()?.is_some_and(|path| *path == image.path);
    (!is_pythons).then_some(image)
}
