//! What the mappings permit that only NT_FILE knows: gcore leaves clean code out of the program
//! headers, so the permissions come from the program headers of the mapped ELF file itself, in
//! its dumped first page.

use super::build_id::program_headers_of;
use super::segments::Space;
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};

/// Files are mapped in pages.
const PAGE: u64 = 4096;

/// Fills in what is permitted, where the file says so; such a mapping stays readable otherwise.
pub(super) fn fill(space: &mut Space, core: &[u8]) {
    // Mappings of one file mostly follow each other.
    let mut known: Option<(u32, Vec<ProgramHeader>)> = None;
    for (at, index) in &space.unstated {
        let Some(backing) = space.backings.get_mut(*index as usize) else {
            continue;
        };
        if known.as_ref().is_none_or(|(of, _)| of != index) {
            let page = backing.first_page.clone();
            let page = page.and_then(|range| core.get(range)).unwrap_or_default();
            known = Some((*index, program_headers_of(page)));
        }
        let Some(mapping) = space.mappings.get_mut(*at) else {
            continue;
        };
        let holds = |entry: &&ProgramHeader| {
            let end = entry.p_offset.saturating_add(entry.p_filesz);
            let start = entry.p_offset & !(PAGE - 1);
            entry.p_type == PT_LOAD && start <= mapping.offset && mapping.offset < end
        };
        // Two segments may share a page of the file; the later one is mapped at its start.
        let entry = known.iter().flat_map(|(_, entries)| entries).rfind(holds);
        if let Some(entry) = entry {
            mapping.read = entry.is_read();
            mapping.write = entry.is_write();
            mapping.execute = entry.is_executable();
            backing.code |= entry.is_executable();
        }
    }
}
