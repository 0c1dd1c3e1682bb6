//! The locks of glibc's dynamic loader (sysdeps/generic/ldsodefs.h, 2.28 to 2.43): recursive mutexes
//! that lie side by side in ld.so's `_rtld_global`, in the same order in every version.

use super::mutex;
use crate::addr::Addr;
use crate::bytes;
use crate::image::Image;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, View};

/// Size of a `pthread_mutex_t`.
const MUTEX: u64 = 40;
/// Whoever loads, unloads or looks up a symbol.
const LOAD: &str = "_dl_load_lock";
/// Whoever changes the list of what is loaded or walks it (`dl_iterate_phdr`).
const WRITE: &str = "_dl_load_write_lock";
/// Whoever makes thread-local variables: to load, to make a thread, at first use (2.34 and later).
const TLS: &str = "_dl_load_tls_lock";

/// Waits for one of the loader's locks.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let address = waiter.futex.as_ref()?.addr;
    let name = name(view, address)?;
    Some(Found {
        evidence: format!("it sleeps on the loader's {name}").into(),
        kind: Kind::Loader,
        address,
        owner: mutex::owner(view, address),
        timed: waiter.timed(),
    })
}

/// Which of the loader's locks is at `address`.
pub(in crate::sync) fn name(view: &View<'_>, address: Addr) -> Option<&'static str> {
    const AT_BASE: u64 = 7;
    let image = view.process.images.at(address)?;
    let base = view.process.target.aux(AT_BASE);
    if base != Some(image.start.0) && image.exported("_rtld_global").is_none() {
        return None;
    }
    if !is_recursive(view, image, Some(address)) {
        return None;
    }
    let at = |count: u64| {
        let behind = address.0.checked_add(MUTEX.checked_mul(count)?);
        behind.map(Addr)
    };
    let ahead = |count: u64| {
        let ahead = address.0.checked_sub(MUTEX.checked_mul(count)?);
        ahead.map(Addr)
    };
    let is = |address| is_recursive(view, image, address);
    // Up to 2.33 there were two.
    match (is(ahead(2)), is(ahead(1)), is(at(1)), is(at(2))) {
        (false, false, true, _) => Some(LOAD),
        (false, true, true, false) | (false, true, false, false) => Some(WRITE),
        (true, true, false, false) => Some(TLS),
        _ => None,
    }
}

/// Whether a mutex of the recursive kind lies there that is used for nothing special.
fn is_recursive(view: &View<'_>, image: &Image, address: Option<Addr>) -> bool {
    const RECURSIVE: u64 = 1;
    let kind = || {
        let address = address.filter(|address| image.start <= *address && *address < image.end)?;
        let raw = view.process.target.memory.array::<40>(address).ok()?;
        let plain = bytes::u32_at(&raw, 0)? <= 2
            && bytes::u64_at(&raw, 24)? == 0
            && bytes::u64_at(&raw, 32)? == 0;
        plain.then(|| bytes::u64_at(&raw, 16))?
    };
    kind() == Some(RECURSIVE)
}
