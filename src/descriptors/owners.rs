//! Python objects that own a file descriptor, found by their types, and where each keeps its
//! number: Modules/_io/fileio.c, socketmodule.c, mmapmodule.c, selectmodule.c, posixmodule.c
//! (`ScandirIterator`), 2.7's Objects/fileobject.c and Modules/_multiprocessing, Lib/multiprocessing.

use super::Kind;
use crate::addr::Addr;
use crate::escape;
use crate::heap::Heap;
use crate::python::object::{Objects, TypeInfo, flags};
use crate::target::Fault;
use rayon::prelude::*;
use std::sync::Arc;

/// The longest name of a file that is shown.
const LONGEST_NAME: u64 = 4096;

/// Where `struct _IO_FILE` of glibc has the descriptor (libio/bits/types/struct_FILE.h).
const STREAM_FD: u64 = 112;

/// How objects of a class keep a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// A `FileIO`.
    File,
    /// 2.7's `file`: a `FILE *`.
    Stream,
    /// A socket.
    Socket,
    /// A mapping, which has a duplicate of the descriptor it was made from.
    Map,
    /// An int directly behind the header.
    First(Kind),
    /// An iterator of `os.scandir`: a `DIR *`.
    Scan,
    /// An int that is an attribute; `None` or negative once it is closed.
    Attribute(&'static str),
}

/// Classes whose instances own a descriptor.
const CLASSES: &[(&str, Form)] = &[
    ("_io.FileIO", Form::File),
    ("file", Form::Stream),
    ("_socket.socket", Form::Socket),
    ("mmap.mmap", Form::Map),
    ("select.epoll", Form::First(Kind::Epoll)),
    ("_multiprocessing.Connection", Form::First(Kind::Unknown)),
    ("posix.ScandirIterator", Form::Scan),
    (
        "multiprocessing.connection.Connection",
        Form::Attribute("_handle"),
    ),
    ("multiprocessing.heap.Arena", Form::Attribute("fd")),
    (
        "multiprocessing.shared_memory.SharedMemory",
        Form::Attribute("_fd"),
    ),
    (
        "multiprocessing.resource_tracker.ResourceTracker",
        Form::Attribute("_fd"),
    ),
    (
        "multiprocessing.semaphore_tracker.SemaphoreTracker",
        Form::Attribute("_fd"),
    ),
    (
        "multiprocessing.forkserver.ForkServer",
        Form::Attribute("_forkserver_alive_fd"),
    ),
];

/// An object that has a descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Owning {
    /// The descriptor.
    pub(super) fd: i32,
    /// The object.
    pub(super) id: u32,
    /// Whether it closes the descriptor when it is closed or dies.
    pub(super) closes: bool,
    /// What the descriptor leads to, as far as the object tells.
    pub(super) kind: Kind,
    /// The name that the object has for it.
    pub(super) name: Option<String>,
}

/// What was found.
#[derive(Default, Debug)]
pub(super) struct Found {
    /// By descriptor; of those with the same one, the objects that close it first.
    pub(super) all: Vec<Owning>,
    /// Objects that could not be read.
    pub(super) unreadable: usize,
}

/// All objects of a process that have a descriptor and are not closed.
pub(super) fn find(heap: &Heap) -> Found {
    let objects = &heap.python.objects;
    let form = |ty: &Arc<TypeInfo>| {
        let is_one = |(name, _): &&(&str, Form)| objects.is_a(ty, name);
        CLASSES.iter().find(is_one).map(|(_, form)| *form)
    };
    let forms = heap.kinds().iter().map(|kind| form(&kind.keeping.ty));
    let forms: Vec<Option<Form>> = forms.collect();
    let form = |id: u32| *forms.get(heap.kind_number(id) as usize)?;
    let with = (0..heap.count()).into_par_iter();
    let with: Vec<(u32, Form)> = with.filter_map(|id| Some((id, form(id)?))).collect();
    let mut found = Found::default();
    for (id, form) in with {
        match read(objects, heap.address(id), form) {
            Ok(Some(own)) if own.fd >= 0 => found.all.push(Owning { id, ..own }),
            Ok(_) => {}
            Err(_) => found.unreadable += 1,
        }
    }
    found.all.sort_by_key(|own| (own.fd, !own.closes, own.id));
    found
}

/// The descriptor of an object; `None` where it has none any more.
fn read(objects: &Objects, addr: Addr, form: Form) -> Result<Option<Owning>, Fault> {
    let memory = &objects.memory;
    let own = |fd, kind, name| Owning {
        fd,
        id: 0,
        closes: true,
        kind,
        name,
    };
    let pointed = |place: Addr, offset: u64| -> Result<Option<i32>, Fault> {
        let stream = memory.ptr(place)?;
        match stream.is_null() {
            true => Ok(None),
            false => Ok(Some(memory.i32(stream.add(offset))?)),
        }
    };
    Ok(match form {
        Form::File => {
            let file = objects.open_file(addr)?;
            let name = text(objects, objects.attribute(addr, "name")?);
            Some(Owning {
                closes: file.closes,
                ..own(file.fd, kind_of_name(name.as_ref()), name)
            })
        }
        Form::Stream => {
            let name = text(objects, Some(memory.ptr(objects.after(addr, 8))?));
            let fd = pointed(objects.after(addr, 0), STREAM_FD)?;
            fd.map(|fd| own(fd, kind_of_name(name.as_ref()), name))
        }
        Form::Socket => {
            let number = |at: u64| memory.i32(objects.after(addr, at));
            let kind = Kind::of_family(number(4)?, number(8)?);
            Some(own(number(0)?, kind, None))
        }
        Form::Map => {
            let place = objects.layout.kinds.descriptors.map;
            let fd = memory.i32(objects.after(addr, place.into()))?;
            Some(own(fd, Kind::Unknown, None))
        }
        Form::First(kind) => Some(own(memory.i32(objects.after(addr, 0))?, kind, None)),
        Form::Scan => {
            let Some(back) = objects.layout.kinds.descriptors.scan else {
                return Ok(None);
            };
            let ty = objects.type_of(addr)?;
            let size = u64::try_from(ty.basicsize).unwrap_or(0);
            // `struct __dirstream` of glibc begins with the descriptor (sysdeps/unix/sysv/linux).
            let fd = pointed(addr.add(size).sub(back.into()), 0)?;
            fd.map(|fd| own(fd, Kind::Directory, None))
        }
        Form::Attribute(name) => {
            let number = objects.attribute(addr, name)?;
            let number = number.and_then(|number| objects.int(number).ok());
            let fd = number.and_then(|number| i32::try_from(number).ok());
            fd.map(|fd| own(fd, Kind::Unknown, None))
        }
    })
}

/// The name of a file; nothing for a number, which is the descriptor itself.
fn text(objects: &Objects, name: Option<Addr>) -> Option<String> {
    let name = name?;
    let ty = objects.type_of(name).ok()?;
    if ty.is(flags::STR) {
        let text = objects.text(name, LONGEST_NAME).ok()?;
        (text.left_out == 0).then_some(text.value)
    } else if ty.is(flags::BYTES) {
        let (bytes, left_out) = objects.bytes_of(name, LONGEST_NAME as usize).ok()?;
        (left_out == 0).then(|| escape::lossy(&bytes))
    } else {
        None
    }
}

/// By the path that a file was opened with; names such as `<stdin>` are no paths.
fn kind_of_name(name: Option<&String>) -> Kind {
    match name {
        None => Kind::Unknown,
        Some(name) if name.starts_with('<') => Kind::Unknown,
        Some(name) => Kind::of_path(name),
    }
}
