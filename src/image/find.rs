//! Which ELF files are mapped where. A file is recognised by its ELF header in memory (or, where
//! the core left that page out, in the file on disk), and claims the address range that its
//! program headers describe. Files on disk are not opened here unless there is no other way.

use super::elf::{self, PAGE, PF_X, PT_LOAD, Segment};
use super::link_map;
use crate::addr::Addr;
use crate::target::{Mapping, Target, build_id_in_memory};

/// The entry of the auxiliary vector with the main executable's program headers.
const AT_PHDR: u64 = 3;
/// The main executable's entry point.
const AT_ENTRY: u64 = 9;
/// The path given to execve.
const AT_EXECFN: u64 = 31;
/// The vDSO's ELF header.
const AT_SYSINFO_EHDR: u64 = 33;
/// What the vDSO is called.
pub(super) const VDSO: &str = "[vdso]";

/// An ELF file found in the address space.
pub(super) struct Found {
    pub(super) path: Option<String>,
    pub(super) start: Addr,
    pub(super) end: Addr,
    pub(super) bias: u64,
    pub(super) build_id: Option<Vec<u8>>,
    pub(super) segments: Vec<Segment>,
    /// The process was started from it.
    pub(super) main: bool,
}

/// All ELF files in `target`, sorted by address, without overlaps.
pub(super) fn all(target: &Target) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let vdso = target.aux(AT_SYSINFO_EHDR).map(Addr);
    for (index, mapping) in target.mappings.iter().enumerate() {
        // The rest of an image. Another file inside its range means that its header is damaged.
        let inside = |last: &Found| {
            mapping.start < last.end && (mapping.path.is_none() || mapping.path == last.path)
        };
        if found.last().is_some_and(inside) {
            continue;
        }
        if Some(mapping.start) == vdso || mapping.path.as_deref() == Some(VDSO) {
            found.extend(from_memory(target, mapping).map(|mut found| {
                found.path = Some(VDSO.to_owned());
                found
            }));
        } else if let Some(path) = mapping.file() {
            let image = from_memory(target, mapping);
            found.extend(image.or_else(|| from_file(target, mapping, path)));
        } else if mapping.path.is_none() && has_unnamed_code(target, index) {
            found.extend(from_memory(target, mapping));
        }
    }
    clip(&mut found);
    name_main(target, &mut found);
    name_others(target, &mut found);
    found
}

/// Whether an unnamed mapping may start an ELF file: it or the one right behind it is code. Of the
/// others there are thousands (heaps and stacks), and each look costs a page of the core.
fn has_unnamed_code(target: &Target, index: usize) -> bool {
    let mut run = target.mappings.iter().skip(index).take(2);
    let end = run.clone().next().map(|mapping| mapping.end);
    run.any(|mapping| {
        let adjacent = Some(mapping.start) == end || Some(mapping.end) == end;
        mapping.execute && mapping.path.is_none() && adjacent
    })
}

/// An ELF file whose header is at the start of `mapping`.
fn from_memory(target: &Target, mapping: &Mapping) -> Option<Found> {
    let magic = target.memory.array::<4>(mapping.start).ok()?;
    if &magic != b"\x7fELF" {
        return None;
    }
    let page = target
        .memory
        .bytes(mapping.start, mapping.len().min(PAGE) as usize)
        .ok()?;
    let header = elf::header(&page)?;
    let table_len = usize::from(header.phnum) * 56;
    let in_page = usize::try_from(header.phoff)
        .ok()
        .and_then(|start| page.get(start..start.checked_add(table_len)?));
    let segments = match in_page {
        Some(table) => elf::segments(table, header.phnum),
        None => {
            let at = mapping.start.add(header.phoff);
            elf::segments(&target.memory.bytes(at, table_len).ok()?, header.phnum)
        }
    };
    let mut found = place(target, mapping, segments)?;
    found.build_id = build_id_in_memory(&*target.memory, mapping.start);
    Some(found)
}

/// An ELF file whose header the core left out, or that does not map its own header: the file on
/// disk is asked. Without a build-id it cannot be checked that it is the same file, so the first
/// executable mapping must agree with its program headers.
fn from_file(target: &Target, mapping: &Mapping, path: &str) -> Option<Found> {
    let header_unread = mapping.offset == 0 && target.memory.array::<4>(mapping.start).is_err();
    if !header_unread && !mapping.execute {
        return None;
    }
    match target.files.open(path, None) {
        Ok(file) => place(target, mapping, elf::file_segments(file.bytes())),
        // Nothing but the mappings is known. An image without program headers still gives
        // addresses a module name; the bias is right for everything linked at 0.
        Err(_) => {
            let same_file = |m: &&Mapping| m.path == mapping.path && m.start >= mapping.start;
            let run = || target.mappings.iter().filter(same_file);
            run().any(|m| m.execute).then(|| Found {
                path: mapping.path.clone(),
                start: mapping.start,
                end: run().map(|m| m.end).max().unwrap_or(mapping.end),
                bias: mapping.start.0.wrapping_sub(mapping.offset),
                build_id: None,
                segments: Vec::new(),
                main: false,
            })
        }
    }
}

/// Where the file with these program headers lies, given that `mapping` maps its offset
/// `mapping.offset`. `None` when the other mappings do not agree: the file is mapped as data.
fn place(target: &Target, mapping: &Mapping, segments: Vec<Segment>) -> Option<Found> {
    let page = |value: u64| value & !(PAGE - 1);
    let loads = || segments.iter().filter(|segment| segment.kind == PT_LOAD);
    let first = loads().find(|segment| page(segment.offset) == mapping.offset)?;
    let bias = mapping.start.0.wrapping_sub(page(first.vaddr));
    let code_agrees = |segment: &Segment| {
        let at = Addr(page(segment.vaddr).wrapping_add(bias));
        let end = segment.vaddr.saturating_add(segment.filesz);
        let end = end
            .checked_next_multiple_of(PAGE)
            .map(|end| Addr(end.wrapping_add(bias)));
        target.mapping(at).is_some_and(|m| {
            m.path == mapping.path
                && at.0.wrapping_sub(m.start.0) == page(segment.offset).wrapping_sub(m.offset)
                // gcore leaves the program header out for code that it does not dump, so that the
                // permissions may be unknown; the loader's mapping then has the very same size.
                && (m.execute || (m.start == at && Some(m.end) == end))
        })
    };
    let unnamed = mapping.file().is_none();
    let mut code = loads().filter(|segment| segment.flags & PF_X != 0);
    if !unnamed && !code.all(code_agrees) {
        return None;
    }
    let low = loads().map(|segment| page(segment.vaddr)).min()?;
    let high = loads()
        .map(Segment::end)
        .max()?
        .checked_next_multiple_of(PAGE)?;
    let start = Addr(low.wrapping_add(bias));
    let end = Addr(high.wrapping_add(bias));
    // A damaged header may claim anything: the range must go upwards and hold the mapping.
    (start <= mapping.start && mapping.start < end).then(|| Found {
        path: mapping.path.clone(),
        start,
        end,
        bias,
        build_id: None,
        segments,
        main: false,
    })
}

/// Cuts ranges that damaged headers made overlap.
fn clip(found: &mut [Found]) {
    found.sort_by_key(|image| image.start);
    let starts: Vec<Addr> = found.iter().skip(1).map(|image| image.start).collect();
    for (image, next) in found.iter_mut().zip(starts) {
        image.end = image.end.min(next);
    }
}

/// Marks the main executable, and names it where the core does not.
fn name_main(target: &Target, found: &mut [Found]) {
    let mut at = [AT_PHDR, AT_ENTRY]
        .into_iter()
        .filter_map(|kind| target.aux(kind).map(Addr));
    let by_aux = at.find_map(|at| {
        let holds = |image: &Found| image.start <= at && at < image.end;
        found.iter().position(holds)
    });
    let by_path = || {
        let exe = target.process.exe.as_deref()?;
        found
            .iter()
            .position(|image| image.path.as_deref() == Some(exe))
    };
    let Some(main) = by_aux
        .or_else(by_path)
        .and_then(|index| found.get_mut(index))
    else {
        return;
    };
    main.main = true;
    if main.path.is_none() {
        main.path = target.process.exe.clone().or_else(|| {
            let name = target
                .memory
                .cstr(Addr(target.aux(AT_EXECFN)?), 4096)
                .ok()?;
            Some(String::from_utf8_lossy(&name).into_owned())
        });
    }
}

/// Names images that have no path, from the dynamic linker's list.
fn name_others(target: &Target, found: &mut [Found]) {
    if found.iter().all(|image| image.path.is_some()) {
        return;
    }
    let Some(main) = found.iter().find(|image| image.main) else {
        return;
    };
    let loaded = link_map::read(&*target.memory, &main.segments, main.bias);
    for image in found.iter_mut().filter(|image| image.path.is_none()) {
        let known = loaded.iter().find(|entry| {
            image.start <= entry.dynamic && entry.dynamic < image.end && !entry.name.is_empty()
        });
        image.path = known.map(|entry| entry.name.clone());
    }
}
