//! The file descriptors of a process, what each leads to, which Python objects own it, and what keeps
//! these alive. Of a live process the kernel tells the descriptors, and a core that pydbg wrote has
//! what it told; other cores have no such table, and only the objects in them tell which descriptors
//! there were.

mod holders;
mod kind;
mod owners;
mod table;
mod targets;
mod tree;
mod verdict;

pub use holders::{Example, Hold, Holder};
pub use kind::Kind;
pub use table::{Access, Limit};
pub use targets::by_target;
pub use verdict::Verdict;

use crate::heap::graph::Stopped;
use crate::heap::{Heap, RootPath, Thing, Ways};
use crate::target::proc::MOST_FDS;
use owners::Owning;
use serde::Serialize;
use std::collections::BTreeMap;
use table::Entry;

/// Who tells which descriptors there are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The kernel, now or when the core was written.
    Kernel,
    /// The Python objects that own them; those without an owner are not known.
    Objects,
}

/// An object that owns a descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Its id in the heap.
    pub id: u32,
    /// Whether it closes the descriptor when it is closed or dies.
    pub closes: bool,
    /// The name that the object has for what it opened.
    pub name: Option<String>,
    /// Why it is doubtful that the descriptor is its own.
    pub doubt: Option<String>,
}

/// One descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// The number.
    pub fd: i32,
    /// What it leads to.
    pub kind: Kind,
    /// Which of that: a path, an address, `pipe:[1]`.
    pub target: Option<String>,
    /// What may be done through it.
    pub access: Option<Access>,
    /// Flags that it has, as `open` calls them.
    pub flags: Vec<&'static str>,
    /// The position in a file.
    pub position: Option<u64>,
    /// What the kernel says beside that.
    pub detail: Option<String>,
    /// The objects that own it, the one that closes it first.
    pub owners: Vec<Owner>,
}

/// A descriptor with its owners as a person wants them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    /// The number.
    pub fd: i32,
    /// What it leads to.
    pub kind: Kind,
    /// Which of that.
    pub target: Option<String>,
    /// What may be done through it.
    pub access: Option<Access>,
    /// Flags that it has.
    pub flags: Vec<&'static str>,
    /// The position in a file.
    pub position: Option<u64>,
    /// What the kernel says beside that.
    pub detail: Option<String>,
    /// The objects that own it.
    pub owners: Vec<ShownOwner>,
}

/// An owner as a person wants it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownOwner {
    /// The object.
    pub object: Thing,
    /// Whether it closes the descriptor when it is closed or dies.
    pub closes: bool,
    /// Why it is doubtful that the descriptor is its own.
    pub doubt: Option<String>,
    /// Why it is alive; nothing where no root leads to it.
    pub path: Option<RootPath>,
}

/// The descriptors of a process.
pub struct Descriptors {
    /// Who tells which there are.
    pub source: Source,
    /// Why the kernel does not tell them, of a process that it could tell them of.
    pub problem: Option<String>,
    /// By number.
    pub all: Vec<Descriptor>,
    /// Whether there are more than were looked at.
    pub more: bool,
    /// How many there may be.
    pub limit: Option<Limit>,
    /// What keeps many of them open.
    pub holders: Vec<Holder>,
    /// What is wrong.
    pub verdicts: Vec<Verdict>,
    /// Objects whose descriptor is closed although they do not know it; their ids and the number.
    pub stale: Vec<(u32, i32)>,
    /// Objects that could not be read.
    pub unreadable: usize,
    ways: Ways,
}

impl Descriptors {
    /// The descriptors of the process that a heap is of.
    pub fn of(heap: &Heap) -> Result<Descriptors, Stopped> {
        let found = owners::find(heap);
        let (mut limit, mut problem, mut entries) = (None, None, None);
        if let Some(files) = heap.python.process.target.proc_files() {
            limit = Limit::of(&files);
            match table::read(&files) {
                Ok(read) => entries = Some(read),
                Err(error) => problem = Some(error.to_string()),
            }
        }
        let ids: Vec<u32> = found.all.iter().map(|own| own.id).collect();
        let is_shortcut = shortcuts(heap);
        let ways = heap.ways_to(&ids, |from, to| !is_shortcut(from, to))?;
        let source = match entries {
            Some(_) => Source::Kernel,
            None => Source::Objects,
        };
        let more = entries.as_ref().is_some_and(|all| all.len() >= MOST_FDS);
        let (all, stale) = match entries {
            Some(entries) => join(entries, found.all, more),
            None => (of_objects(found.all), Vec::new()),
        };
        let holders = holders::find(heap, &ways, &all);
        let mut descriptors = Descriptors {
            source,
            problem,
            all,
            more,
            limit,
            holders,
            verdicts: Vec::new(),
            stale,
            unreadable: found.unreadable,
            ways,
        };
        descriptors.verdicts = verdict::of(&descriptors);
        Ok(descriptors)
    }

    /// The descriptor with a number.
    pub fn get(&self, fd: i32) -> Option<&Descriptor> {
        self.all.iter().find(|descriptor| descriptor.fd == fd)
    }

    /// How many there are of each kind, the most frequent first.
    pub fn kinds(&self) -> Vec<(Kind, usize)> {
        holders::kinds(self.all.iter().map(|descriptor| descriptor.kind))
    }

    /// A descriptor with its owners as a person wants them.
    pub fn shown(&self, heap: &Heap, descriptor: &Descriptor) -> Shown {
        let owner = |owner: &Owner| ShownOwner {
            object: heap.thing(owner.id),
            closes: owner.closes,
            doubt: owner.doubt.clone(),
            path: heap.way_in_words(&self.ways, owner.id),
        };
        let Descriptor {
            fd,
            kind,
            access,
            position,
            ..
        } = *descriptor;
        Shown {
            fd,
            kind,
            target: descriptor.target.clone(),
            access,
            flags: descriptor.flags.clone(),
            position,
            detail: descriptor.detail.clone(),
            owners: descriptor.owners.iter().map(owner).collect(),
        }
    }
}

impl Owner {
    fn of(own: Owning) -> Owner {
        Owner {
            id: own.id,
            closes: own.closes,
            name: own.name,
            doubt: None,
        }
    }
}

/// Whether a reference is the one by which a text file knows its raw file, which Python shows as that
/// of the buffer between the two.
fn shortcuts(heap: &Heap) -> impl Fn(u32, u32) -> bool + '_ {
    let of = |name: &str| -> Vec<bool> {
        let kinds = heap.kinds().iter();
        let is_a = kinds.map(|kind| heap.python.objects.is_a(&kind.keeping.ty, name));
        is_a.collect()
    };
    let (raw, text) = (of("_io.FileIO"), of("_io.TextIOWrapper"));
    let is = |kinds: &[bool], id: u32| kinds.get(heap.kind_number(id) as usize) == Some(&true);
    move |from, to| is(&raw, to) && is(&text, from)
}

/// What the kernel tells with the owners among the objects, and the objects whose descriptor is not
/// open.
fn join(
    entries: Vec<Entry>,
    owning: Vec<Owning>,
    more: bool,
) -> (Vec<Descriptor>, Vec<(u32, i32)>) {
    let descriptor = |entry: Entry| {
        let descriptor = Descriptor {
            fd: entry.fd,
            kind: entry.kind,
            target: Some(entry.target),
            access: entry.access,
            flags: entry.flags,
            position: entry.position,
            detail: entry.detail,
            owners: Vec::new(),
        };
        (entry.fd, descriptor)
    };
    let mut all: BTreeMap<i32, Descriptor> = entries.into_iter().map(descriptor).collect();
    let mut stale = Vec::new();
    for own in owning {
        let Some(descriptor) = all.get_mut(&own.fd) else {
            if !more {
                stale.push((own.id, own.fd));
            }
            continue;
        };
        if own.kind.is_socket() && descriptor.kind == Kind::Socket {
            // The kernel lists no addresses of what is neither bound nor connected.
            descriptor.kind = own.kind;
        }
        let fits = match own.kind {
            Kind::Tcp | Kind::Udp | Kind::Unix | Kind::Socket => descriptor.kind.is_socket(),
            Kind::Epoll | Kind::Directory => descriptor.kind == own.kind,
            // What was opened by a path has one.
            Kind::File => {
                let target = descriptor.target.as_ref();
                target.is_some_and(|target| target.starts_with('/'))
            }
            _ => true,
        };
        let doubt = (!fits).then(|| mismatch(own.kind, descriptor.kind));
        let owner = Owner::of(own);
        descriptor.owners.push(Owner { doubt, ..owner });
    }
    for descriptor in all.values_mut() {
        // What fits comes first; the order among those is kept.
        descriptor.owners.sort_by_key(|owner| owner.doubt.is_some());
    }
    (all.into_values().collect(), stale)
}

/// The object is of one kind, what the descriptor leads to of another.
fn mismatch(object: Kind, descriptor: Kind) -> String {
    format!(
        "its own was {}, and this is {}: the number may have been closed behind its back",
        object.words(),
        descriptor.words()
    )
}

/// The descriptors that objects tell of.
fn of_objects(owning: Vec<Owning>) -> Vec<Descriptor> {
    let mut all: BTreeMap<i32, Descriptor> = BTreeMap::new();
    for own in owning {
        let descriptor = all.entry(own.fd).or_insert_with(|| Descriptor {
            fd: own.fd,
            kind: own.kind,
            target: None,
            access: None,
            flags: Vec::new(),
            position: None,
            detail: None,
            owners: Vec::new(),
        });
        if descriptor.kind == Kind::Unknown {
            descriptor.kind = own.kind;
        }
        if descriptor.target.is_none() {
            descriptor.target = own.name.clone();
        }
        descriptor.owners.push(Owner::of(own));
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fd: i32, kind: Kind, target: &str) -> Entry {
        Entry {
            fd,
            kind,
            target: target.to_owned(),
            access: None,
            flags: Vec::new(),
            position: None,
            detail: None,
        }
    }

    fn own(fd: i32, id: u32, kind: Kind) -> Owning {
        Owning {
            fd,
            id,
            closes: true,
            kind,
            name: None,
        }
    }

    #[test]
    fn owners_that_do_not_fit_are_doubtful_and_come_last() {
        let entries = vec![
            entry(3, Kind::Epoll, "anon_inode:[eventpoll]"),
            entry(4, Kind::Socket, "socket:[1]"),
            entry(5, Kind::File, "/x"),
        ];
        let owning = vec![
            own(3, 1, Kind::File),
            own(3, 2, Kind::Epoll),
            own(4, 3, Kind::Udp),
            own(5, 4, Kind::Unix),
            own(9, 5, Kind::File),
        ];
        let (all, stale) = join(entries, owning.clone(), false);
        let told = |at: usize| -> Vec<(u32, bool)> {
            let owners = all[at].owners.iter();
            owners
                .map(|owner| (owner.id, owner.doubt.is_some()))
                .collect()
        };
        assert_eq!(told(0), [(2, false), (1, true)]);
        assert_eq!(told(1), [(3, false)]);
        assert_eq!(told(2), [(4, true)]);
        assert_eq!(all[1].kind, Kind::Udp);
        assert_eq!(stale, [(5, 9)]);
        assert_eq!(join(Vec::new(), owning.clone(), true).1, []);
        let all = of_objects(owning);
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].owners.len(), 2);
    }
}
