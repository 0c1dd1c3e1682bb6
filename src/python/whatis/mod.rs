//! What lies at an address of a Python process, from the most telling to the least: an object and
//! the block it lies in, a frame, a thread state, and what [`crate::native::place`] knows.

mod object;
mod owner;
mod pymalloc;
mod state;

use super::Python;
use crate::addr::Addr;
use crate::native::Process;
use crate::native::place::{Chunk, Place};
pub use object::ObjectAt;
pub use owner::Part;
pub use pymalloc::{BlockState, Pooled};
use serde::Serialize;
pub use state::StatePart;

/// What lies at an address.
#[derive(Clone, Debug, Serialize)]
pub struct Whatis {
    /// The address.
    pub address: Addr,
    /// The kind of thing it is.
    pub kind: Kind,
    /// The object it is in.
    pub object: Option<ObjectAt>,
    /// The object that the block it is in belongs to.
    pub part_of: Option<Part>,
    /// The block of pymalloc it is in.
    pub pymalloc: Option<Pooled>,
    /// The chunk of glibc's malloc it is in.
    pub chunk: Option<Chunk>,
    /// The frame, thread state or interpreter it is in.
    pub state: Option<StatePart>,
    /// Mapping, stack, symbol.
    pub place: Place,
    /// What it is, in words, without an object's value.
    pub text: String,
    /// How that is known.
    pub evidence: Vec<String>,
}

/// Kinds of things.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A Python object, or the header before it.
    PythonObject,
    /// A Python frame that is no object (3.11+).
    PythonFrame,
    /// A `PyThreadState`.
    ThreadState,
    /// A `PyInterpreterState`.
    InterpreterState,
    /// A block of pymalloc that is no object, used or not.
    PymallocBlock,
    /// The header or the rest of a pool of pymalloc.
    PymallocPool,
    /// A chunk of glibc's malloc that is no object.
    MallocChunk,
    /// The stack of a thread.
    Stack,
    /// The guard of a stack.
    StackGuard,
    /// Code or data of a file, covered by a symbol.
    Symbol,
    /// Code or data of a file without a symbol.
    Module,
    /// A mapping of which no more is known.
    Mapping,
    /// Nothing.
    NotMapped,
}

/// What lies at `address` of a process without Python, or whose Python could not be read.
pub fn native(process: &Process, address: Addr) -> Whatis {
    let place = process.place(address);
    let mut found = Whatis {
        address,
        kind: Kind::NotMapped,
        object: None,
        part_of: None,
        pymalloc: None,
        chunk: None,
        state: None,
        text: place.text.clone(),
        evidence: Vec::new(),
        place,
    };
    found.kind = match (
        &found.place.stack,
        &found.place.symbol,
        &found.place.mapping,
    ) {
        (Some(stack), ..) if stack.region == crate::native::place::Region::Guard => {
            Kind::StackGuard
        }
        (Some(_), ..) => Kind::Stack,
        (_, Some(symbol), _) => {
            let section = symbol.section.as_ref();
            let section = section.map_or(String::new(), |name| format!(" in section {name}"));
            let (kind, name) = match &symbol.name {
                Some(name) => (Kind::Symbol, name.as_str()),
                None => (Kind::Module, "the start"),
            };
            found.text = match symbol.offset {
                0 => format!("at {name}{section} of {}", symbol.module),
                offset => format!("{offset} bytes behind {name}{section} of {}", symbol.module),
            };
            kind
        }
        (.., Some(_)) => {
            found.chunk = process.chunk(address);
            match &found.chunk {
                Some(chunk) => {
                    found.text = chunk.words(address);
                    let heap = "the chunks were walked from the start of their heap";
                    found.evidence.push(heap.to_owned());
                    Kind::MallocChunk
                }
                None => Kind::Mapping,
            }
        }
        _ => Kind::NotMapped,
    };
    found
}

impl Python {
    /// Whether an object at `address` lies in a pool of pymalloc.
    pub(crate) fn is_pooled(&self, address: Addr) -> bool {
        let pool_size = self.objects.layout.kinds.pool_size;
        let pooled = pool_size
            .and_then(|pool_size| pymalloc::find(&*self.objects.memory, pool_size, address));
        pooled.is_some_and(|pooled| pooled.state == BlockState::Used)
    }

    /// What lies at `address`.
    pub fn whatis(&self, address: Addr) -> Whatis {
        let mut found = native(&self.process, address);
        if matches!(found.kind, Kind::NotMapped | Kind::Stack | Kind::StackGuard) {
            return found;
        }
        let objects = &self.objects;
        let mut interpreters = self.interpreters.iter();
        let collecting = interpreters.any(|interpreter| interpreter.collecting == Some(true));
        let anonymous = matches!(found.kind, Kind::Mapping | Kind::MallocChunk);
        if let Some(pool_size) = objects.layout.kinds.pool_size.filter(|_| anonymous) {
            found.pymalloc = pymalloc::find(&*objects.memory, pool_size, address);
        }
        if let Some(pooled) = found.pymalloc.clone() {
            found.chunk = None;
            found.evidence =
                vec!["the pool's header, free blocks and count of used blocks agree".to_owned()];
            found.text = pooled.words();
            found.kind = match (pooled.state, pooled.block) {
                (BlockState::Header | BlockState::Rest, _) | (_, None) => Kind::PymallocPool,
                (BlockState::Used, Some(block)) => {
                    let size = u64::from(pooled.block_size);
                    found.object = object::in_block(objects, block, size, address, collecting);
                    Kind::PymallocBlock
                }
                _ => Kind::PymallocBlock,
            };
        } else if let Some(part) = self.state_part(address) {
            found.text = part.text.clone();
            found.kind = part.kind;
            // 3.12 and later keep small numbers and constant strings within the interpreter.
            if part.kind == Kind::InterpreterState {
                found.object = object::exactly(objects, address, address);
            }
            found.state = Some(part);
        } else if let Some(chunk) = &found.chunk {
            let (user, size) = (chunk.user, chunk.usable);
            found.object = object::in_block(objects, user, size, address, collecting)
                .or_else(|| object::in_number_block(objects, user, address));
        } else {
            let symbol = found.place.symbol.as_ref();
            let named = symbol.filter(|symbol| symbol.name.is_some());
            let start = named.map(|symbol| address.sub(symbol.offset));
            let start = start.and_then(|start| object::exactly(objects, start, address));
            // A type is as long as its symbol; what lies within another object is not told.
            let start = start.filter(|object| (0..1024).contains(&object.offset));
            found.object = start.or_else(|| object::exactly(objects, address, address));
        }
        if found.object.is_none() {
            self.add_owner(&mut found);
        }
        if let Some(object) = &found.object {
            found.kind = Kind::PythonObject;
            let dead = match object.dead {
                true => ", which is dead (reference count 0)",
                false => "",
            };
            let part = match object.offset {
                0 => String::new(),
                offset @ 1.. => format!("{offset} bytes into "),
                offset => format!("{} bytes before the start, in the header, of ", -offset),
            };
            let what = format!(
                "{part}a Python object, {} at {}{dead}",
                object.class, object.start
            );
            found.text = format!("{what}; {}", found.text);
            found
                .evidence
                .push("its type pointer leads to a type".to_owned());
        }
        found
    }

    /// Says to which object the block belongs that was found, if it is in use and is none itself.
    fn add_owner(&self, found: &mut Whatis) {
        let pooled = found.pymalloc.as_ref();
        let used = pooled.filter(|pooled| pooled.state == BlockState::Used);
        let block = match (used, &found.chunk) {
            (Some(pooled), _) => pooled.block,
            (None, Some(chunk)) if found.kind == Kind::MallocChunk => Some(chunk.user),
            // Large blocks of free-threaded builds and of malloc itself are mappings' parts.
            _ => None,
        };
        let Some(part) = block.and_then(|block| self.part_of(block)) else {
            return;
        };
        let what = format!("{} of a {} at {}", part.part, part.class, part.start);
        found.text = format!("the {what}; {}", found.text);
        found
            .evidence
            .push("the object points to the block".to_owned());
        found.part_of = Some(part);
    }
}
