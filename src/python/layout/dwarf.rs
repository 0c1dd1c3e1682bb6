//! Offsets from DWARF of the very binary: types by name, members by name. Reading takes some
//! tenths of a second, so it is done only for `info layout` and where no table fits.

use super::dwarf_rows::{ROWS, Row};
use super::{Field, Layout, Source};
use crate::image::Section;
use gimli::{AttributeValue, DwarfSections, EndianSlice, LittleEndian, SectionId, UnitOffset};
use rustc_hash::{FxHashMap, FxHashSet};

type Reader<'a> = EndianSlice<'a, LittleEndian>;
type Dwarf<'a> = gimli::Dwarf<Reader<'a>>;
type Unit<'a> = gimli::Unit<Reader<'a>>;

/// The sections that types are described in, and those without which a unit cannot be opened.
const SECTIONS: [SectionId; 8] = [
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugAddr,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// How deep typedefs and members may nest.
const DEEPEST: usize = 16;

/// What DWARF says about the fields of a layout: group, field, offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DwarfOffsets(Vec<(&'static str, &'static str, u32)>);

impl DwarfOffsets {
    /// Reads what the DWARF sections that `section` gives say; `None` when they say nothing.
    pub fn read(section: &dyn Fn(&str) -> Option<Section>) -> Option<DwarfOffsets> {
        section(SectionId::DebugInfo.name())?;
        let load = |id: SectionId| -> Result<Section, gimli::Error> {
            let wanted = SECTIONS.contains(&id);
            let bytes = wanted.then(|| section(id.name())).flatten();
            Ok(bytes.unwrap_or_else(Section::empty))
        };
        let sections = DwarfSections::load(load).ok()?;
        let dwarf = sections.borrow(|section| EndianSlice::new(section, LittleEndian));
        let found = Search::default().run(&dwarf);
        (!found.is_empty()).then_some(DwarfOffsets(found))
    }

    /// Takes these offsets into `layout`, except where the process itself states one. Returns in
    /// words where the layout said something else.
    pub fn apply(&self, layout: &mut Layout) -> Vec<String> {
        let mut differing = Vec::new();
        for (group, name, offset) in &self.0 {
            let old = layout.fields.get(group, name);
            if old.is_some_and(|old| old.source == Source::DebugOffsets) {
                continue;
            }
            let field = Field {
                offset: *offset,
                source: Source::Dwarf,
            };
            let set = layout.fields.set(group, name, field);
            if let Some(old) = old.filter(|old| set && old.offset != *offset) {
                differing.push(format!("{group}.{name} is {offset}, not {}", old.offset));
            }
        }
        differing
    }
}

/// The types to look for, and what was found of them.
struct Search {
    wanted: FxHashSet<&'static str>,
    /// By row and by the position of the type in that row.
    found: FxHashMap<(usize, usize), u32>,
}

impl Default for Search {
    fn default() -> Search {
        let types = ROWS.iter().flat_map(|(_, _, types, _)| types.split(' '));
        Search {
            wanted: types.collect(),
            found: FxHashMap::default(),
        }
    }
}

impl Search {
    fn run(mut self, dwarf: &Dwarf<'_>) -> Vec<(&'static str, &'static str, u32)> {
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            if self.wanted.is_empty() {
                break;
            }
            if let Ok(unit) = dwarf.unit(header) {
                // A unit that cannot be read is one unit less; others describe the same types.
                let _ = self.unit(dwarf, &unit);
            }
        }
        let best = |(index, row): (usize, &Row)| {
            let types = row.2.split(' ').count();
            let value = (0..types).find_map(|at| self.found.get(&(index, at)))?;
            Some((row.0, row.1, *value))
        };
        ROWS.iter().enumerate().filter_map(best).collect()
    }

    /// Looks at the types that one unit defines at its outermost level.
    fn unit(&mut self, dwarf: &Dwarf<'_>, unit: &Unit<'_>) -> gimli::Result<()> {
        let mut tree = unit.entries_tree(None)?;
        let mut children = tree.root()?.children();
        while let Some(child) = children.next()? {
            let entry = child.entry();
            let is_type = matches!(
                entry.tag(),
                gimli::DW_TAG_structure_type | gimli::DW_TAG_typedef | gimli::DW_TAG_union_type
            );
            if !is_type {
                continue;
            }
            let Some(name) = name(dwarf, unit, entry) else {
                continue;
            };
            let Some(wanted) = self.wanted.get(name).copied() else {
                continue;
            };
            let types = Types { dwarf, unit };
            if let Some(definition) = types.definition(entry.offset())
                && self.take(&types, wanted, definition)
            {
                self.wanted.remove(wanted);
            }
        }
        Ok(())
    }

    /// Takes the rows of a type; `false` when it has none of the members, as an opaque one.
    fn take(&mut self, types: &Types<'_, '_>, name: &str, definition: UnitOffset) -> bool {
        let mut any = false;
        for (index, (_, _, names, members)) in ROWS.iter().enumerate() {
            let Some(at) = names.split(' ').position(|known| known == name) else {
                continue;
            };
            let value = match *members {
                "sizeof" => types.size(definition),
                members => members
                    .split(' ')
                    .find_map(|member| types.member(definition, member, DEEPEST)),
            };
            if let Some(value) = value.and_then(|value| u32::try_from(value).ok()) {
                self.found.insert((index, at), value);
                any = true;
            }
        }
        any
    }
}

/// Types of one unit.
struct Types<'a, 'b> {
    dwarf: &'b Dwarf<'a>,
    unit: &'b Unit<'a>,
}

impl Types<'_, '_> {
    /// The structure or union behind typedefs and qualifiers.
    fn definition(&self, mut offset: UnitOffset) -> Option<UnitOffset> {
        for _ in 0..DEEPEST {
            let entry = self.unit.entry(offset).ok()?;
            match entry.tag() {
                gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                    let declared = entry.attr(gimli::DW_AT_declaration).is_some();
                    return (!declared).then_some(offset);
                }
                _ => offset = reference(entry.attr_value(gimli::DW_AT_type)?)?,
            }
        }
        None
    }

    fn size(&self, definition: UnitOffset) -> Option<u64> {
        let entry = self.unit.entry(definition).ok()?;
        entry.attr(gimli::DW_AT_byte_size)?.udata_value()
    }

    /// The offset of `path` in a structure. Members of unnamed members count as its own.
    fn member(&self, definition: UnitOffset, path: &str, depth: usize) -> Option<u64> {
        let depth = depth.checked_sub(1)?;
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let mut tree = self.unit.entries_tree(Some(definition)).ok()?;
        let mut children = tree.root().ok()?.children();
        while let Ok(Some(child)) = children.next() {
            let entry = child.entry();
            if entry.tag() != gimli::DW_TAG_member {
                continue;
            }
            let name = name(self.dwarf, self.unit, entry);
            let location = entry.attr(gimli::DW_AT_data_member_location);
            let offset = location.and_then(|at| at.udata_value()).unwrap_or(0);
            let inside = || {
                let ty = reference(entry.attr_value(gimli::DW_AT_type)?)?;
                self.definition(ty)
            };
            let found = match (name, rest) {
                (Some(name), None) if name == first => Some(0),
                (Some(name), Some(rest)) if name == first => self.member(inside()?, rest, depth),
                (None, _) => inside().and_then(|inside| self.member(inside, path, depth)),
                _ => None,
            };
            if let Some(found) = found {
                return offset.checked_add(found);
            }
        }
        None
    }
}

/// The name of an entry.
fn name<'a>(
    dwarf: &Dwarf<'a>,
    unit: &Unit<'a>,
    entry: &gimli::DebuggingInformationEntry<Reader<'a>>,
) -> Option<&'a str> {
    let value = entry.attr_value(gimli::DW_AT_name)?;
    let name = dwarf.attr_string(unit, value).ok()?;
    name.to_string().ok()
}

/// The entry of the same unit that an attribute refers to.
fn reference(value: AttributeValue<Reader<'_>>) -> Option<UnitOffset> {
    match value {
        AttributeValue::UnitRef(offset) => Some(offset),
        _ => None,
    }
}

#[cfg(test)]
#[path = "dwarf_tests.rs"]
mod tests;
