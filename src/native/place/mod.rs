//! What lies at an address, as far as the kernel, the C library and symbols know: the mapping, or
//! those around a hole, the stack of a thread, the symbol, glibc's piece of heap.

pub mod arena;
pub mod glibc;
pub mod stack;
mod unused;

use super::Process;
use crate::addr::Addr;
use crate::target::{Mapping, Target};
pub use glibc::Chunk;
use serde::Serialize;
pub use stack::{Region, StackPlace};

/// What lies at an address.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The address.
    pub address: Addr,
    /// The mapping that holds it; `None` where nothing is mapped.
    pub mapping: Option<Mapping>,
    /// The nearest mapping that ends at or before it.
    pub before: Option<Neighbour>,
    /// The nearest mapping that begins behind it.
    pub after: Option<Neighbour>,
    /// The stack it belongs to, or whose guard it is.
    pub stack: Option<StackPlace>,
    /// The symbol that covers it.
    pub symbol: Option<SymbolPlace>,
    /// The whole in words.
    pub text: String,
}

/// A mapping near an address.
#[derive(Clone, Debug, Serialize)]
pub struct Neighbour {
    /// Bytes between it and the address.
    pub distance: u64,
    /// The mapping.
    pub mapping: Mapping,
}

/// A symbol and where in it an address is.
#[derive(Clone, Debug, Serialize)]
pub struct SymbolPlace {
    /// The demangled name; `None` when no symbol covers the address.
    pub name: Option<String>,
    /// Bytes from its start.
    pub offset: u64,
    /// The section of the file, such as `.data`.
    pub section: Option<String>,
    /// The file, as the target has its path.
    pub module: String,
}

impl Process {
    /// What lies at `address`. Symbols are looked up, which opens the file that is mapped there.
    pub fn place(&self, address: Addr) -> Place {
        let target = &self.target;
        let mapping = target.mapping(address).cloned();
        let (before, after) = neighbours(target, address);
        let mut place = Place {
            address,
            symbol: self.symbol_place(address),
            stack: self.stack_place(address),
            mapping,
            before,
            after,
            text: String::new(),
        };
        place.text = place.words();
        place
    }

    fn symbol_place(&self, address: Addr) -> Option<SymbolPlace> {
        let image = self.images.at(address)?;
        let location = self.symbol(address);
        let name = location.as_ref().and_then(|found| found.function.clone());
        Some(SymbolPlace {
            offset: match name {
                Some(_) => location.and_then(|found| found.offset).unwrap_or(0),
                None => address.since(image.start).unwrap_or(0),
            },
            name,
            section: image.section_at(address),
            module: image.path.clone(),
        })
    }
}

/// The mappings around `address` that do not hold it.
fn neighbours(target: &Target, address: Addr) -> (Option<Neighbour>, Option<Neighbour>) {
    let mappings = &target.mappings;
    let first_behind = mappings.partition_point(|mapping| mapping.start <= address);
    let after = mappings.get(first_behind);
    let mut before = mappings.iter().take(first_behind).rev();
    let before = before.find(|mapping| mapping.end <= address);
    let before = before.map(|mapping| Neighbour {
        distance: address.since(mapping.end).unwrap_or(0),
        mapping: mapping.clone(),
    });
    let after = after.map(|mapping| Neighbour {
        distance: mapping.start.since(address).unwrap_or(0),
        mapping: mapping.clone(),
    });
    (before, after)
}

impl Place {
    fn words(&self) -> String {
        if let Some(stack) = &self.stack {
            return stack.words();
        }
        if let Some(mapping) = &self.mapping {
            let all = permissions(mapping);
            let permits = if all == "readable" { "read-only" } else { &all };
            return format!("in {}, which is {permits}", name(mapping));
        }
        // Only what is near tells anything: an index that ran past an end.
        const NEAR: u64 = 1 << 20;
        let near = |neighbour: &&Neighbour| neighbour.distance < NEAR;
        let behind = self.before.as_ref().filter(near);
        let ahead = self.after.as_ref().filter(near);
        let nearest = match (behind, ahead) {
            (Some(behind), Some(ahead)) if ahead.distance < behind.distance => (None, Some(ahead)),
            (Some(behind), _) => (Some(behind), None),
            (None, ahead) => (None, ahead),
        };
        match nearest {
            (Some(behind), _) => format!(
                "nothing is mapped there, {} bytes behind the end of {}",
                behind.distance,
                name(&behind.mapping)
            ),
            (_, Some(ahead)) => format!(
                "nothing is mapped there, {} bytes before the start of {}",
                ahead.distance,
                name(&ahead.mapping)
            ),
            _ => "nothing is mapped there, nor anywhere near".to_owned(),
        }
    }
}

/// What a mapping is called: its file, the kernel's name for it, or where it is.
pub fn name(mapping: &Mapping) -> String {
    match &mapping.path {
        Some(path) => format!("{path} ({}-{})", mapping.start, mapping.end),
        None => format!("anonymous memory ({}-{})", mapping.start, mapping.end),
    }
}

/// What a mapping permits: `readable, writable`.
pub fn permissions(mapping: &Mapping) -> String {
    let words: Vec<&str> = [
        (mapping.read, "readable"),
        (mapping.write, "writable"),
        (mapping.execute, "executable"),
    ]
    .iter()
    .filter(|(set, _)| *set)
    .map(|(_, word)| *word)
    .collect();
    match words.is_empty() {
        true => "not accessible".to_owned(),
        false => words.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::TargetBuilder;
    use std::sync::Arc;

    fn process() -> Process {
        let target = TargetBuilder::new()
            .mapping(0x10_0000, 0x10_4000, "rw-", "", 0)
            .mapping(0x7fff_0000, 0x7fff_1000, "---", "", 0)
            .mapping(0x7fff_1000, 0x7fff_8000, "rw-", "[stack]", 0)
            .thread(7, &[(7, 0x7fff_2000)])
            .build();
        Process::new(Arc::new(target))
    }

    #[test]
    fn holes_are_told_by_what_is_near() {
        let process = process();
        let text = |at| process.place(Addr(at)).text;
        assert!(text(0x10_400c).starts_with("nothing is mapped there, 12 bytes behind the end of"));
        assert!(text(0x0f_fff0).contains("16 bytes before the start of anonymous memory"));
        assert_eq!(
            text(0x5000_0000),
            "nothing is mapped there, nor anywhere near"
        );
        assert!(text(0x10_0010).contains("which is readable, writable"));
    }

    #[test]
    fn stacks_have_guards_and_parts() {
        let process = process();
        let region = |at| process.place(Addr(at)).stack.map(|stack| stack.region);
        assert_eq!(region(0x7fff_0010), Some(Region::Guard));
        assert_eq!(region(0x7fff_1ff0), Some(Region::RedZone));
        assert_eq!(region(0x7fff_1e00), Some(Region::Below));
        assert_eq!(region(0x7fff_3000), Some(Region::Frames));
        assert_eq!(region(0x10_0010), None);
    }
}
