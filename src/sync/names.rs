//! Names of locks as a person would write them: `bank.alice.lock`, `locks[2]`. The shortest path
//! from a variable of a module, else from a variable of a frame.

mod search;

use super::native::{library, loader, malloc, stdio};
use super::{Kind, Locks, View, buffered, files, mutexes, world};
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
            Kind::ImportLock => lock.name = Some("the import lock".into()),
            Kind::ModuleLock => lock.name = module_lock_name(view, lock.address),
            Kind::Thread => lock.name = thread_name(view, lock.address),
            Kind::FileLock => lock.name = files::name(view, lock.address),
            Kind::World => lock.name = Some(world::name(view, lock.address).into()),
            Kind::PyMutex => {
                let own = mutexes::name(view, lock.address);
                lock.name = own.or_else(|| symbol(view, lock.address));
            }
            kind if kind.is_object() => {
                let objects = &view.python.objects;
                if kind == Kind::ObjectLock {
                    let ty = objects.type_of(lock.address).ok();
                    lock.name = ty.and_then(|ty| Some(format!("a {}", ty.name.as_deref()?)));
                } else if kind == Kind::BufferedFile {
                    lock.name = buffered::name(objects, lock.address);
                }
                if kind != Kind::BufferedFile || lock.name.is_none() {
                    wanted.entry(lock.address).or_default().push(at);
                }
            }
            Kind::Loader => lock.name = loader::name(view, lock.address).map(str::to_owned),
            Kind::Arena => lock.name = malloc::name(view, lock.address),
            Kind::Stream => lock.name = stdio::name(view, lock.address),
            _ => {
                let own = symbol(view, lock.address);
                lock.name = own.or_else(|| library::name(view, lock.address, &lock.waiters));
            }
        }
    }
    let mut search = Search::new(view, wanted.keys().copied());
    search.run();
    for (address, name) in search.found {
        // What programs call a lock that processes share is made of the real one.
        let outer = name.strip_suffix("._semlock").map(str::to_owned);
        let name = outer.unwrap_or(name);
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

/// `import lock of 'package.module'`.
fn module_lock_name(view: &View<'_>, lock: Addr) -> Option<String> {
    let name = view.attribute(lock, &["name"])?;
    let name = view.python.objects.text(name, LONGEST).ok()?;
    Some(format!("import lock of '{}'", name.value))
}

/// The name of a variable that has a symbol.
fn symbol(view: &View<'_>, addr: Addr) -> Option<String> {
    view.process.symbol(addr)?.function
}
