//! Names of locks as a person would write them: `bank.alice.lock`, `locks[2]`. The shortest path
//! from a variable of a module, else from a variable of a frame.

mod search;

use super::{Kind, Locks, View};
use crate::addr::Addr;
use rustc_hash::FxHashMap;
use search::Search;

/// The longest part of a name, in characters.
const LONGEST: u64 = 200;

/// Names the locks that have no name yet.
pub(super) fn give(view: &View<'_>, locks: &mut Locks) {
    let mut wanted: FxHashMap<Addr, Vec<usize>> = FxHashMap::default();
    for (at, lock) in locks.all.iter_mut().enumerate() {
        match lock.kind {
            _ if lock.name.is_some() => {}
            Kind::Gil => lock.name = Some("the GIL".into()),
            Kind::Thread => lock.name = thread_name(view, lock.address),
            kind if kind.is_object() => wanted.entry(lock.address).or_default().push(at),
            _ => lock.name = symbol(view, lock.address),
        }
    }
    let mut search = Search::new(view, wanted.keys().copied());
    search.run();
    for (address, name) in search.found {
        for at in wanted.get(&address).into_iter().flatten() {
            if let Some(lock) = locks.all.get_mut(*at) {
                lock.name = Some(name.clone());
            }
        }
    }
}

/// `thread "worker"`.
fn thread_name(view: &View<'_>, thread: Addr) -> Option<String> {
    let objects = &view.python.objects;
    let attribute = objects.layout.kinds.thread_name;
    let name = objects.attribute(thread, attribute).ok()??;
    let name = objects.text(name, LONGEST).ok()?;
    Some(format!("thread \"{}\"", name.value))
}

/// The name of a variable that has a symbol.
fn symbol(view: &View<'_>, addr: Addr) -> Option<String> {
    view.process.symbol(addr)?.function
}
