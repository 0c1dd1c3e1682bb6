//! Whose `malloc` the program calls: the first object in the order of the dynamic linker that exports
//! it (the executable, what LD_PRELOAD names, the libraries), told by what else it exports.

use crate::addr::Addr;
use crate::image::{Image, link_map};
use crate::native::Process;
use serde::Serialize;
use std::sync::Arc;

/// A library that may serve `malloc`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// The GNU C library.
    Glibc,
    /// jemalloc.
    Jemalloc,
    /// gperftools' or Google's tcmalloc.
    Tcmalloc,
    /// Microsoft's mimalloc, as a library of its own.
    Mimalloc,
    /// The C library musl.
    Musl,
    /// Something else: a tool that watches allocations, or a library that is not known.
    Other,
}

impl Library {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Library::Glibc => "glibc",
            Library::Jemalloc => "jemalloc",
            Library::Tcmalloc => "tcmalloc",
            Library::Mimalloc => "mimalloc",
            Library::Musl => "musl",
            Library::Other => "another library",
        }
    }
}

/// Names that only one library exports, the most telling first.
const TOLD_BY: &[(&str, Library)] = &[
    ("mallctl", Library::Jemalloc),
    ("je_mallctl", Library::Jemalloc),
    ("tc_malloc", Library::Tcmalloc),
    ("MallocExtension_GetNumericProperty", Library::Tcmalloc),
    ("mi_malloc", Library::Mimalloc),
    ("gnu_get_libc_version", Library::Glibc),
];

/// What is said where nobody is seen to serve `malloc`.
pub const UNSEEN: &str = "who serves malloc is not known: the file of the C library is missing (see \
                          \"set sysroot\"), so what is in use of its memory is not either";

/// What the kernel says of memory that jemalloc has named, where it is built for that.
const JEMALLOC_NAMES: &str = "[anon:jemalloc";

/// Who serves `malloc`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Server {
    /// The library.
    pub library: Library,
    /// The file that has it.
    pub path: String,
    /// Where its `malloc` is; `None` where it is inside of a static executable.
    pub malloc: Option<Addr>,
    /// Its memory, as far as the kernel's names for it tell; empty where they do not.
    pub memory: Vec<(Addr, Addr)>,
    /// What is not known of it, in words.
    pub unknown: Option<String>,
}

/// The images in the order in which the dynamic linker looks for a name.
fn in_order(process: &Process) -> Vec<&Arc<Image>> {
    let Some(main) = process.images.main() else {
        return process.images.all.iter().collect();
    };
    let memory = &*process.target.memory;
    let maps = link_map::read(memory, &main.segments, main.bias);
    let mut all = vec![main];
    let linked = maps.iter().filter_map(|map| process.images.at(map.dynamic));
    for image in linked.chain(&process.images.all) {
        if !all.iter().any(|known| known.start == image.start) {
            all.push(image);
        }
    }
    all
}

/// Who serves `malloc` in a process; `None` where nobody is seen to, as the library's file is missing.
pub fn server(process: &Process) -> Option<Server> {
    let images = in_order(process);
    let mut exporting = images.iter().filter_map(|image| {
        let (malloc, _) = image.exported("malloc")?;
        // The dynamic linker has one for itself.
        let linker = image.exported("_dl_mcount").is_some() && !is_glibc(image);
        (!linker).then_some((*image, malloc))
    });
    let (image, malloc) = match exporting.next() {
        Some((image, malloc)) => (image, Some(malloc)),
        // Where there are libraries, the file of the one that has it is missing.
        None if images.iter().skip(1).any(|image| is_file(image)) => return None,
        // A static executable exports nothing, and has it all inside.
        None => (*images.first()?, None),
    };
    let library = match malloc {
        Some(_) => library_of(image),
        None => {
            let named = |(name, _): &&(&str, Library)| image.named(name).is_some();
            TOLD_BY
                .iter()
                .find(named)
                .map_or(Library::Other, |(_, library)| *library)
        }
    };
    let mappings = process.target.mappings.iter();
    let named = mappings.filter(|mapping| {
        let path = mapping.path.as_deref();
        library == Library::Jemalloc && path.is_some_and(|path| path.starts_with(JEMALLOC_NAMES))
    });
    let memory: Vec<(Addr, Addr)> = named.map(|mapping| (mapping.start, mapping.end)).collect();
    let unknown = match library {
        Library::Glibc => None,
        Library::Other if malloc.is_none() => {
            Some("malloc is inside of the executable, whose symbols do not tell whose it is".into())
        }
        Library::Other => Some(format!(
            "malloc is served by {}, which is not known",
            image.path
        )),
        _ if !memory.is_empty() => Some(format!(
            "{} serves malloc; its memory is known by name, and what in it is in use or free is not \
             told apart",
            library.name()
        )),
        _ => Some(format!(
            "{} serves malloc; which memory is its own, and what in it is in use or free, is not told \
             apart",
            library.name()
        )),
    };
    Some(Server {
        library,
        path: image.path.clone(),
        malloc,
        memory,
        unknown,
    })
}

/// Whether an image is of a file, not the kernel's own.
fn is_file(image: &Image) -> bool {
    image.path.starts_with('/')
}

fn is_glibc(image: &Image) -> bool {
    image.exported("gnu_get_libc_version").is_some()
}

fn library_of(image: &Image) -> Library {
    let exports = |(name, _): &&(&str, Library)| image.exported(name).is_some();
    match TOLD_BY.iter().find(exports) {
        Some((_, library)) => *library,
        None if image.name().contains("musl") => Library::Musl,
        None => Library::Other,
    }
}
