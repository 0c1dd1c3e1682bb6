//! Which functions serve Python's requests for memory: `PYTHONMALLOC`, `-X dev` and libraries may
//! put others in pymalloc's place (`PyMemAllocatorEx` of three domains; static variables up to
//! 3.11, `_PyRuntime.allocators` since).

use crate::addr::Addr;
use crate::python::Python;
use crate::python::scan::is_python;
use serde::Serialize;

/// Fields of `struct _pymem_allocators`: the function that allocates, of each domain.
mod domain {
    pub(super) const RAW: u64 = 8;
    pub(super) const MEM: u64 = 48;
    pub(super) const OBJ: u64 = 88;
    /// What the debug hooks of a domain stand before; `debug_alloc_api_t`.
    pub(super) const DEBUG_RAW: u64 = 128;
    pub(super) const DEBUG_MEM: u64 = 176;
    pub(super) const DEBUG_OBJ: u64 = 224;
}

/// In a `debug_alloc_api_t`, the `PyMemAllocatorEx` that the hooks call.
const HOOKED: u64 = 8;

/// What serves requests for objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allocator {
    /// pymalloc.
    Pymalloc,
    /// The mimalloc that is part of CPython.
    Mimalloc,
    /// The C library's, or what stands for that.
    Malloc,
}

/// What serves requests for objects, and how that is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Serving {
    /// What it is; `None` where nothing tells, or something else stands before it.
    pub allocator: Option<Allocator>,
    /// Whether CPython's debug hooks stand before it: each block has 16 bytes in front and 16
    /// behind; `None` where nothing tells.
    pub hooks: Option<bool>,
    /// How that is known.
    pub evidence: String,
}

/// A `PyMemAllocatorEx`: what its functions are given, and the first of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Domain {
    context: Addr,
    malloc: Addr,
}

impl Serving {
    /// Looks at the functions.
    pub fn of(python: &Python) -> Serving {
        let found = by_runtime(python).or_else(|| by_static(python));
        found.unwrap_or_else(|| Serving {
            allocator: None,
            hooks: None,
            evidence: "no function was found that serves requests for objects".into(),
        })
    }
}

fn domain(python: &Python, at: Addr) -> Option<Domain> {
    let memory = &python.process.target.memory;
    let domain = Domain {
        context: memory.ptr(at).ok()?,
        malloc: memory.ptr(at.add(8)).ok()?,
    };
    let code = python.process.images.at(domain.malloc);
    code.is_some_and(|image| image.is_code(domain.malloc))
        .then_some(domain)
}

/// The name of a function.
fn name(python: &Python, function: Addr) -> Option<String> {
    let symbol = python.process.images.at(function)?.symbol_at(function)?;
    Some(symbol.name)
}

/// What a function of this name is.
fn known(name: &str) -> Option<Allocator> {
    // Builds with link-time optimization put something behind the names.
    match name.split('.').next()? {
        "_PyObject_Malloc" => Some(Allocator::Pymalloc),
        "_PyObject_MiMalloc" => Some(Allocator::Mimalloc),
        "_PyMem_RawMalloc" => Some(Allocator::Malloc),
        _ => None,
    }
}

/// 3.12 and later: each domain has its functions, so that they tell each other apart without names.
fn by_runtime(python: &Python) -> Option<Serving> {
    let field = python.layout.fields.runtime.as_ref()?.allocators?;
    let table = field.of(python.runtime.addr?);
    let object = domain(python, table.add(domain::OBJ))?;
    let hooks = object.context == table.add(domain::DEBUG_OBJ);
    let behind = |own: u64, debug: u64| {
        let plain = domain(python, table.add(own))?;
        match plain.context == table.add(debug) {
            true => domain(python, table.add(debug + HOOKED)),
            false => Some(plain),
        }
    };
    let raw = behind(domain::RAW, domain::DEBUG_RAW)?;
    let mem = behind(domain::MEM, domain::DEBUG_MEM)?;
    let object = behind(domain::OBJ, domain::DEBUG_OBJ)?;
    let named = name(python, object.malloc);
    let allocator = match named.as_deref().and_then(known) {
        Some(known) => Some(known),
        // A name that is not CPython's is of what stands before the allocator.
        None if named.is_some() || !object.context.is_null() => None,
        None if object == raw => Some(Allocator::Malloc),
        None if object == mem => Some(Allocator::Pymalloc),
        None => Some(Allocator::Mimalloc),
    };
    let function = named.unwrap_or_else(|| format!("the function at {}", object.malloc));
    Some(Serving {
        allocator,
        hooks: Some(hooks),
        evidence: format!("_PyRuntime.allocators has {function}"),
    })
}

/// Up to 3.11, with symbols.
fn by_static(python: &Python) -> Option<Serving> {
    let mut images = python.process.images.all.iter();
    let object = images
        .by_ref()
        .filter(|image| is_python(&image.path))
        .find_map(|image| domain(python, image.named("_PyObject")?.0))?;
    let mut function = name(python, object.malloc)?;
    let hooks = function.starts_with("_PyMem_Debug");
    if hooks {
        let behind = domain(python, object.context.add(HOOKED))?;
        function = name(python, behind.malloc)?;
    }
    Some(Serving {
        allocator: known(&function),
        hooks: Some(hooks),
        evidence: format!("the variable _PyObject has {function}"),
    })
}
