//! `_multiprocessing.SemLock` as it lies in memory (Modules/_multiprocessing/semaphore.c), and the
//! objects of `multiprocessing.synchronize` that programs know it by.

use crate::addr::Addr;
use crate::bytes;
use crate::sync::{Kind, View};
use rustc_hash::FxHashMap;

/// `RECURSIVE_MUTEX` and `SEMAPHORE`: an RLock, and everything else.
pub(super) const KIND_RECURSIVE: i32 = 0;
const KIND_SEMAPHORE: i32 = 1;

/// The classes of the objects that programs know such locks by.
const WRAPPER: &[&str] = &["multiprocessing.synchronize.SemLock"];

/// The most shared locks that are looked for.
const MOST_WRAPPERS: usize = 1 << 20;

/// A `_multiprocessing.SemLock`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SemLock {
    pub(super) addr: Addr,
    /// The `sem_t`, which processes share.
    pub(super) semaphore: Addr,
    /// The ident of the thread of this process that took it last.
    pub(super) last_taker: u64,
    /// How much more often this process took it than it released it.
    pub(super) count: i32,
    most: i32,
    /// [`KIND_RECURSIVE`], or the other one.
    pub(super) recursive: i32,
}

impl SemLock {
    /// The lock at `addr`, or that of the object of `multiprocessing.synchronize` at `addr`.
    pub(super) fn of(view: &View<'_>, addr: Addr) -> Option<SemLock> {
        SemLock::at(view, addr).or_else(|| {
            let is_wrapper = view.is_instance(addr, WRAPPER);
            SemLock::at(
                view,
                is_wrapper.then(|| view.attribute(addr, &["_semlock"]))??,
            )
        })
    }

    fn at(view: &View<'_>, addr: Addr) -> Option<SemLock> {
        let objects = &view.python.objects;
        if objects.type_of(addr).ok()?.name.as_deref()? != "_multiprocessing.SemLock" {
            return None;
        }
        // { sem_t *handle; unsigned long last_tid; int count; int maxvalue; int kind; … }
        let raw = objects.memory.array::<28>(objects.after(addr, 0)).ok()?;
        let lock = SemLock {
            addr,
            semaphore: Addr(bytes::u64_at(&raw, 0)?),
            last_taker: bytes::u64_at(&raw, 8)?,
            count: bytes::i32_at(&raw, 16)?,
            most: bytes::i32_at(&raw, 20)?,
            recursive: bytes::i32_at(&raw, 24)?,
        };
        let sound = lock.most > 0 && matches!(lock.recursive, KIND_RECURSIVE | KIND_SEMAPHORE);
        sound.then_some(lock)
    }

    /// Whether one thread holds it at most.
    pub(super) fn kind(&self) -> Kind {
        match self.most {
            1 => Kind::ProcessLock,
            _ => Kind::ProcessSemaphore,
        }
    }

    /// The value of the semaphore: 0 is locked. `None` where a core lacks it.
    pub(super) fn value(&self, view: &View<'_>) -> Option<u32> {
        view.process.target.memory.u32(self.semaphore).ok()
    }

    /// The object that programs know it by, where there is one.
    pub(super) fn address(&self, view: &View<'_>) -> Addr {
        *view.wrappers().get(&self.addr).unwrap_or(&self.addr)
    }
}

/// The objects of `multiprocessing.synchronize` by the `SemLock` each is made of:
/// `multiprocessing.util` remembers them for the child of a fork, by (number, id, function).
pub(in crate::sync) fn wrappers(view: &View<'_>) -> FxHashMap<Addr, Addr> {
    let objects = &view.python.objects;
    let registered = || {
        let util = view.python.module("multiprocessing.util")?;
        let registry = objects.dict_get(util, "_afterfork_registry").ok()??;
        let items = objects.dict_items(view.attribute(registry, &["data"])?);
        items.ok()
    };
    let wrapper = |(key, _): (Addr, Addr)| {
        let id = objects.int(objects.tuple_item(key, 1).ok()?).ok()?;
        let wrapper = Addr(u64::try_from(id).ok()?);
        let lock = SemLock::of(view, wrapper)?;
        (lock.addr != wrapper).then_some((lock.addr, wrapper))
    };
    let registered = registered().unwrap_or_default().into_iter();
    registered.take(MOST_WRAPPERS).filter_map(wrapper).collect()
}
