//! Offsets and kinds of one CPython build, each with its source.
//!
//! A minor version is not one layout, so a table is keyed by a [`Fingerprint`], then overridden
//! by what the process itself publishes (`_Py_DebugOffsets`, 3.13+), and always validated
//! against the process before it is trusted (see [`super::runtime`]). The tables hold data only;
//! they were measured with DWARF on x86-64 builds of the release named in each.

mod debug_offsets;
mod dwarf;
mod dwarf_rows;
mod fields;
mod free_lists;
mod groups;
mod kinds;
mod mimalloc_groups;
mod mutex_groups;
mod object_groups;
mod references;
mod v2_7;
mod v3_10;
mod v3_11;
mod v3_12;
mod v3_13;
mod v3_13t;
mod v3_14;
mod v3_14t;
mod v3_15;
mod v3_15t;
mod v3_6;
mod v3_7;
mod v3_8;
mod v3_9;

pub use debug_offsets::{COOKIE, DebugOffsets};
pub use dwarf::DwarfOffsets;
pub use fields::{Field, Source};
use fields::{at, has};
pub use free_lists::{Entry, FreeList, Links};
pub use groups::*;
pub use kinds::*;
pub use mimalloc_groups::*;
pub use mutex_groups::*;
pub use object_groups::*;
pub use references::{State, StateReferences};

use serde::Serialize;

/// Everything that differs between CPython builds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The release the built-in table was measured on, such as `3.11.7`.
    pub measured: &'static str,
    /// Major and minor version.
    pub version: (u8, u8),
    /// A free-threaded build.
    pub free_threaded: bool,
    /// Sizes that identify the build the table was measured on.
    pub fingerprint: Fingerprint,
    /// How things are done, beside where they are.
    pub kinds: Kinds,
    /// Where things are.
    pub fields: Fields,
}

/// Sizes in bytes of the structs that change most, as `_Py_DebugOffsets` publishes them. Before
/// 3.13 nothing publishes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Fingerprint {
    /// `_PyRuntimeState`; 0 where there is none.
    pub runtime: u32,
    /// `PyInterpreterState`.
    pub interpreter: u32,
    /// `PyThreadState`.
    pub thread: u32,
    /// `struct _gc_runtime_state`; 0 where there is none.
    pub gc: u32,
}

/// One row of `info layout`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FieldReport {
    /// The group, such as `thread`.
    pub group: &'static str,
    /// The field, such as `native_thread_id`, or `size`.
    pub name: &'static str,
    /// Offset or size in bytes; `None` when this version has no such field.
    pub value: Option<u32>,
    /// Where the value came from.
    pub source: Option<Source>,
}

/// Every built-in table, oldest version first.
static TABLES: [&Layout; 16] = [
    &v2_7::LAYOUT,
    &v3_6::LAYOUT,
    &v3_7::LAYOUT,
    &v3_8::LAYOUT,
    &v3_9::LAYOUT,
    &v3_10::LAYOUT,
    &v3_11::LAYOUT,
    &v3_12::LAYOUT,
    &v3_13::LAYOUT_0,
    &v3_13::LAYOUT_18,
    &v3_13t::LAYOUT_5,
    &v3_13t::LAYOUT,
    &v3_14::LAYOUT,
    &v3_14t::LAYOUT,
    &v3_15::LAYOUT,
    &v3_15t::LAYOUT,
];

impl Layout {
    /// The tables of a minor version, the newest first. Several exist where patch releases or
    /// build options differ.
    pub fn tables(
        version: (u8, u8),
        free_threaded: bool,
    ) -> impl Iterator<Item = &'static Layout> + Clone {
        TABLES
            .iter()
            .rev()
            .copied()
            .filter(move |table| table.version == version && table.free_threaded == free_threaded)
    }

    /// All tables, the newest version first.
    pub fn all_tables() -> impl Iterator<Item = &'static Layout> {
        TABLES.iter().rev().copied()
    }

    /// Whether there is any table of this minor version.
    pub fn knows(version: (u8, u8)) -> bool {
        TABLES.iter().any(|table| table.version == version)
    }

    /// Every field with its value and source, for `info layout`.
    pub fn describe(&self) -> Vec<FieldReport> {
        let mut rows = Vec::new();
        self.fields.each(&mut |group, name, field| {
            rows.push(FieldReport {
                group,
                name,
                value: field.map(|f| f.offset),
                source: field.map(|f| f.source),
            });
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_from_2_7_to_3_15_has_a_table() {
        for minor in 6..=15 {
            assert!(
                Layout::tables((3, minor), false).next().is_some(),
                "3.{minor}"
            );
        }
        assert!(Layout::tables((2, 7), false).next().is_some());
        for minor in 13..=15 {
            assert!(
                Layout::tables((3, minor), true).next().is_some(),
                "3.{minor}t"
            );
        }
        assert!(!Layout::knows((3, 5)));
    }

    #[test]
    fn tables_have_the_fields_their_kinds_need() {
        for table in Layout::all_tables() {
            let (kinds, f) = (&table.kinds, &table.fields);
            let name = table.measured;
            let cframe = f.cframe.is_some() && f.thread.cframe.is_some();
            match kinds.frame_chain {
                FrameChain::Object => assert!(f.thread.frame.is_some(), "{name}"),
                FrameChain::CFrame => assert!(cframe, "{name}"),
                FrameChain::Interpreter => assert!(f.thread.frame.is_some(), "{name}"),
            }
            match kinds.markers {
                Markers::None => {}
                Markers::CFrame => assert!(cframe, "{name}"),
                Markers::ShimFrame => assert!(f.frame.owner.is_some(), "{name}"),
                Markers::BaseFrame => assert!(f.thread.base_frame.is_some(), "{name}"),
            }
            let pointer = matches!(
                kinds.last_instruction,
                LastInstruction::PrevInstr | LastInstruction::InstrPtr
            );
            assert_eq!(pointer, f.code.adaptive.is_some(), "{name}");
            assert_eq!(
                kinds.dict == DictKind::Open,
                f.dict.table.is_some(),
                "{name}"
            );
            assert_eq!(
                kinds.gil == GilPlace::Interpreter,
                f.interpreter.gil.is_some(),
                "{name}"
            );
        }
    }

    #[test]
    fn describe_names_each_field_once() {
        let rows = v3_12::LAYOUT.describe();
        let mut names: Vec<_> = rows.iter().map(|r| (r.group, r.name)).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        let row = rows
            .iter()
            .find(|r| (r.group, r.name) == ("thread", "thread_id"));
        assert_eq!(row.and_then(|r| r.value), Some(136));
    }
}
