//! What a native frame is called: function, file and line, inlined frames, module.

use super::Process;
use super::demangle::{Parameters, demangle};
use crate::addr::{Addr, Pc};
use crate::dwarf::Lines;
use crate::image::Image;
use crate::unwind::NativeFrame;
use serde::Serialize;
use std::sync::PoisonError;

/// The most addresses whose locations are kept: threads of one program stand at few of them.
const MOST_KEPT: usize = 1 << 14;

/// One function at an address; an address inside inlined code has several, innermost first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Location {
    /// The demangled name; `None` when no symbol covers the address.
    pub function: Option<String>,
    /// Bytes from the symbol's start, when the name comes from a symbol table.
    pub offset: Option<u64>,
    /// The image's path.
    pub module: Option<String>,
    /// Source file as gdb prints it: relative where the compiler was given a relative path.
    pub file: Option<String>,
    /// The folder to which a relative `file` belongs.
    pub directory: Option<String>,
    /// Source line.
    pub line: Option<u32>,
    /// Whether this function is inlined into the next location.
    pub inlined: bool,
    /// The address looked up.
    pub addr: Addr,
}

impl Process {
    /// What the code of a frame is called; see [`Process::locations`].
    pub fn symbolize(&self, frame: &NativeFrame) -> Vec<Location> {
        self.locations(frame.pc)
    }

    /// What the code at `pc` is called: the functions inlined there, innermost first, then the
    /// one that contains them. Never empty; a location may know nothing but its address.
    pub fn locations(&self, pc: Pc) -> Vec<Location> {
        let addr = pc.lookup();
        let known = || {
            self.locations
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = known().get(&addr) {
            return known.clone();
        }
        let found = self.find_locations(addr);
        let mut known = known();
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(addr, found.clone());
        found
    }

    fn find_locations(&self, addr: Addr) -> Vec<Location> {
        let unknown = Location {
            addr,
            ..Location::default()
        };
        let image = self.images.index_at(addr).and_then(|index| {
            let image = self.images.all.get(index)?;
            Some((image, self.lines.get(index)?))
        });
        let Some((image, lines)) = image else {
            return vec![unknown];
        };
        image.note_problem();
        let lines = lines.get_or_init(|| Lines::new(image)).as_ref();
        let frames = lines.map(|lines| lines.frames(image.svma(addr)));
        let frames = frames.unwrap_or_default().into_iter();
        let mut locations: Vec<Location> = frames
            .map(|frame| Location {
                function: frame.function.map(|name| demangle(&name, Parameters::Left)),
                offset: None,
                module: Some(image.path.clone()),
                file: frame.file,
                directory: frame.directory,
                line: frame.line,
                inlined: frame.inlined,
                addr,
            })
            .collect();
        match locations.last_mut() {
            // Assembly has lines but no functions.
            Some(last) if last.function.is_none() => {
                let named = by_symbol(image, addr);
                last.function = named.function;
                last.offset = named.offset;
            }
            Some(_) => {}
            None => locations.push(by_symbol(image, addr)),
        }
        locations
    }

    /// The name of the symbol that covers `addr` and the distance from its start, without inlined
    /// functions and lines.
    pub fn symbol(&self, addr: Addr) -> Option<Location> {
        let image = self.images.at(addr)?;
        Some(by_symbol(image, addr)).filter(|location| location.function.is_some())
    }
}

fn by_symbol(image: &Image, addr: Addr) -> Location {
    let symbol = image.symbol_at(addr);
    Location {
        offset: symbol
            .as_ref()
            .map(|symbol| image.svma(addr).0.wrapping_sub(symbol.start.0)),
        function: symbol.map(|symbol| demangle(&symbol.name, Parameters::Shown)),
        module: Some(image.path.clone()),
        addr,
        ..Location::default()
    }
}
