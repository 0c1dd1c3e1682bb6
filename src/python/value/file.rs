//! Open files: the classes of Modules/_io, 2.7's `file`, and `mmap.mmap`.
//!
//! The structs behind the object header, probed in 2.7, 3.6 to 3.15 and 3.13t: `fileio` {int fd;
//! bit field …}, `buffered` {raw …}, `textio` {int ok, detached; chunk_size; buffer; encoding …},
//! `mmap_object` {data; size; pos; offset; …; access, in the struct's last 8 bytes}, 2.7's
//! `PyFileObject` {FILE *; name; mode}.

use super::writer::Writer;
use super::{Decoders, default, parts};
use crate::addr::Addr;
use crate::python::layout::FileBits;
use crate::python::object::{Objects, TypeInfo};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("_io.BufferedRandom", buffered),
    ("_io.BufferedReader", buffered),
    ("_io.BufferedWriter", buffered),
    ("_io.FileIO", file_io),
    ("_io.TextIOWrapper", text_io),
    ("file", file),
    ("mmap.mmap", map),
];

/// How many layers of files a name is looked for in.
const MOST_LAYERS: usize = 5;

/// What a file's `name` is.
pub(super) enum Name {
    Is(Addr),
    /// The file descriptor of a socket.
    Number(i32),
    /// Some code would have to be run.
    Unknown,
    Missing,
}

/// What `file.name` returns.
pub(super) fn name(objects: &Objects, file: Addr) -> Result<Name, Fault> {
    let mut at = file;
    for _ in 0..MOST_LAYERS {
        let ty = objects.type_of(at)?;
        let is_a = |name: &str| objects.is_a(&ty, name);
        if is_a("_io.TextIOWrapper") {
            at = objects.memory.ptr(text_buffer(objects, at))?;
        } else if is_a("_io.BufferedReader")
            || is_a("_io.BufferedWriter")
            || is_a("_io.BufferedRandom")
        {
            at = objects.memory.ptr(objects.after(at, 0))?;
        } else if is_a("file") {
            return Ok(Name::Is(objects.memory.ptr(objects.after(at, 8))?));
        } else if is_a("socket.SocketIO") {
            let socket = parts::field(objects, at, "_sock")?;
            let socket = socket.filter(|socket| !parts::is_none(objects, *socket));
            return Ok(match socket {
                Some(socket) => Name::Number(objects.memory.i32(objects.after(socket, 0))?),
                None => Name::Number(-1),
            });
        } else {
            return Ok(match objects.attribute(at, "name")? {
                Some(name) => Name::Is(name),
                None if objects.class_attribute(&ty, "name").is_some() => Name::Unknown,
                None => Name::Missing,
            });
        }
        if at.is_null() {
            return Ok(Name::Missing);
        }
    }
    Ok(Name::Unknown)
}

fn text_buffer(objects: &Objects, addr: Addr) -> Addr {
    const BUFFER: u64 = 16;
    objects.after(addr, BUFFER)
}

/// ` name='…'`, or nothing where the file has none.
fn push_name(w: &mut Writer<'_>, addr: Addr) -> Result<(), Fault> {
    match name(w.objects, addr)? {
        Name::Is(name) => {
            w.push(" name=");
            w.object(name);
        }
        Name::Number(fd) => w.push(&format!(" name={fd}")),
        Name::Unknown => {
            w.push(" name=");
            w.left_out("not run");
        }
        Name::Missing => {}
    }
    Ok(())
}

/// The class that a file is said to be of: up to 3.12 the one whose `__repr__` it is.
fn class_name(w: &Writer<'_>, ty: &Arc<TypeInfo>, own: &str) -> String {
    match w.objects.layout.kinds.library.file_class {
        true => parts::tp_name(w.objects, ty),
        false => own.to_owned(),
    }
}

fn file_io(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let file = objects.open_file(addr)?;
    let fd = file.fd;
    let name = class_name(w, ty, "_io.FileIO");
    if fd < 0 {
        w.push(&format!("<{name} [closed]>"));
        return Ok(());
    }
    let plus = if file.readable { "+" } else { "" };
    let mode = match () {
        () if file.created => format!("xb{plus}"),
        () if file.appending => format!("ab{plus}"),
        () if file.readable && file.writable && file.truncated => "wb+".to_owned(),
        () if file.readable && file.writable => "rb+".to_owned(),
        () if file.readable => "rb".to_owned(),
        () => "wb".to_owned(),
    };
    w.push(&format!("<{name}"));
    match objects.attribute(addr, "name")? {
        Some(name) => {
            w.push(" name=");
            w.object(name);
        }
        None => w.push(&format!(" fd={fd}")),
    }
    w.push(&format!(" mode='{mode}'"));
    // 2.7 does not write it.
    if objects.layout.kinds.library.file_bits != FileBits::Plain {
        let closes = if file.closes { "True" } else { "False" };
        w.push(&format!(" closefd={closes}"));
    }
    w.push(">");
    Ok(())
}

fn buffered(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    w.push(&format!("<{}", parts::tp_name(w.objects, ty)));
    push_name(w, addr)?;
    w.push(">");
    Ok(())
}

fn text_io(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const DETACHED: u64 = 4;
    const ENCODING: u64 = 24;
    let objects = w.objects;
    let ready = objects.memory.i32(objects.after(addr, 0))? > 0;
    let detached = objects.memory.i32(objects.after(addr, DETACHED))? != 0;
    if !ready || detached {
        // Python's own `repr` raises an exception.
        return default::object(w, addr, ty);
    }
    w.push(&format!("<{}", class_name(w, ty, "_io.TextIOWrapper")));
    push_name(w, addr)?;
    if !parts::is_python_2(objects)
        && let Some(mode) = objects.attribute(addr, "mode")?
    {
        w.push(" mode=");
        w.object(mode);
    }
    w.push(" encoding=");
    w.object(objects.memory.ptr(objects.after(addr, ENCODING))?);
    w.push(">");
    Ok(())
}

fn file(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let [stream, name, mode] = [0, 8, 16].map(|at| objects.memory.ptr(objects.after(addr, at)));
    let state = if stream?.is_null() { "closed" } else { "open" };
    w.push(&format!("<{state} file "));
    w.object(name?);
    w.push(", mode '");
    parts::plain(w, mode?);
    w.push(&format!("' at {addr}>"));
    Ok(())
}

fn map(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const ACCESS: [&str; 4] = [
        "ACCESS_DEFAULT",
        "ACCESS_READ",
        "ACCESS_WRITE",
        "ACCESS_COPY",
    ];
    let objects = w.objects;
    // Up to 3.8 it has no `repr` of its own.
    if parts::own_repr(objects, ty).is_none() {
        return default::object(w, addr, ty);
    }
    let name = parts::tp_name(objects, ty);
    let word = |at: u64| objects.memory.u64(objects.after(addr, at));
    if word(0)? == 0 {
        w.push(&format!("<{name} closed=True>"));
        return Ok(());
    }
    let own = objects.mro(ty);
    let own = own
        .iter()
        .find(|class| *objects.full_name(class) == *"mmap.mmap");
    let size = own.map_or(ty.basicsize, |own| own.basicsize) as u64;
    let access = objects.memory.u32(addr.add(size).sub(8))?;
    let access = ACCESS.get(access as usize).copied().unwrap_or("UNKNOWN!");
    w.push(&format!(
        "<{name} closed=False, access={access}, length={}, pos={}, offset={}>",
        word(8)?,
        word(16)?,
        word(24)?
    ));
    Ok(())
}
