//! Compares the tables with the DWARF of the interpreters on this machine, those of pyenv. A
//! machine without any has nothing to compare.

use super::super::Layout;
use super::*;
use object::{Object, ObjectSection};
use std::path::{Path, PathBuf};

/// The libraries of pyenv's interpreters, each with its version.
fn libraries() -> Vec<(PathBuf, (u8, u8))> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let root = std::env::var_os("PYENV_ROOT").map_or(home.join(".pyenv"), PathBuf::from);
    let versions = std::fs::read_dir(root.join("versions"))
        .into_iter()
        .flatten()
        .flatten();
    versions
        .filter_map(|version| {
            let name = version.file_name().into_string().ok()?;
            let mut numbers = name.split('.').map(|number| number.parse::<u8>().ok());
            let version_pair = (numbers.next()??, numbers.next()??);
            let folder = std::fs::read_dir(version.path().join("lib")).ok()?;
            let library = folder.flatten().map(|file| file.path()).find(|path| {
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or("");
                name.starts_with("libpython") && name.ends_with(".so.1.0")
            })?;
            Some((library, version_pair))
        })
        .collect()
}

/// What its DWARF says; `None` for a stripped one.
fn offsets(library: &Path) -> Option<DwarfOffsets> {
    let bytes = std::fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let section = |name: &str| {
        let section = file.section_by_name(name)?;
        Some(Section::owned(
            0,
            section.uncompressed_data().ok()?.into_owned(),
        ))
    };
    section(".debug_info")?;
    Some(DwarfOffsets::read(&section).unwrap())
}

#[test]
fn tables_agree_with_the_dwarf_of_each_interpreter() {
    for (library, version) in libraries() {
        let Some(found) = offsets(&library) else {
            continue;
        };
        // Patch releases differ; one of the tables must be this one's.
        let differing = Layout::tables(version, false).map(|table| {
            let mut layout = table.clone();
            let differing = found.apply(&mut layout);
            let rows = layout.describe().into_iter();
            // 2.7's deque and buffered files are in extension modules of their own.
            let elsewhere = |group: &str| {
                version == (2, 7) && (group.starts_with("deque") || group == "buffered")
            };
            let unread =
                rows.filter(|row| row.source == Some(Source::Table) && !elsewhere(row.group));
            let unread =
                unread.map(|row| format!("{}.{} is not in the DWARF", row.group, row.name));
            differing.into_iter().chain(unread).collect::<Vec<_>>()
        });
        let least = differing.min_by_key(Vec::len).unwrap();
        assert!(least.is_empty(), "{}: {least:?}", library.display());
    }
}
