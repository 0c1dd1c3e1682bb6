//! Separate debug files, as gdb finds them (gdb manual, "Debugging Information in Separate
//! Files"): by build-id under each debug folder, then by `.gnu_debuglink` beside the file, then by
//! build-id from the servers that the user named. The supplementary file of `dwz`
//! (`.gnu_debugaltlink`) is found in the same ways.

use super::bytes::ElfBytes;
use super::elf;
use crate::target::Files;
use crate::target::build_id::hex;
use object::Object;
use std::path::Path;

/// Where distributions put debug files.
const SYSTEM_DEBUG_DIR: &str = "/usr/lib/debug";

/// The separate debug file of the file that the target calls `path`.
pub(super) fn find(
    files: &Files,
    path: &str,
    build_id: Option<&[u8]>,
    file: Option<&ElfBytes>,
) -> Option<ElfBytes> {
    if let Some(found) = build_id.and_then(|id| by_build_id(files, id)) {
        return Some(found);
    }
    if let Some(found) = file.and_then(|file| by_debuglink(files, path, file)) {
        return Some(found);
    }
    // A file that was never stripped needs none, and no server has one.
    if file.is_some_and(has_dwarf) {
        return None;
    }
    files.fetch_debug_file(path, build_id?).map(ElfBytes::File)
}

fn has_dwarf(file: &ElfBytes) -> bool {
    let elf = elf::parse(file);
    elf.is_some_and(|elf| elf.section_by_name(".debug_info").is_some())
}

fn by_debuglink(files: &Files, path: &str, file: &ElfBytes) -> Option<ElfBytes> {
    let (name, crc) = elf::parse(file)?.gnu_debuglink().ok()??;
    let name = std::str::from_utf8(name).ok()?;
    // A name with a slash would let the file point anywhere.
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = [
        format!("{folder}/{name}"),
        format!("{folder}/.debug/{name}"),
    ];
    let central = debug_dirs(files).map(|dir| format!("{dir}{folder}/{name}"));
    beside
        .into_iter()
        .chain(central)
        // Without the CRC a stale debug file would give wrong names. The stripped file itself may
        // carry the same name, and fails here as well.
        .find_map(|candidate| {
            let found = ElfBytes::File(files.open_here(&candidate, None).ok()?);
            (crc32(&found) == crc).then_some(found)
        })
}

/// The supplementary file that `debug` shares with other debug files.
pub(crate) fn supplementary(files: &Files, debug: &ElfBytes) -> Option<ElfBytes> {
    let (name, build_id) = elf::parse(debug)?.gnu_debugaltlink().ok()??;
    if let Some(found) = by_build_id(files, build_id) {
        return Some(found);
    }
    let name = std::str::from_utf8(name).ok()?;
    let base = match debug {
        ElfBytes::File(file) => file.path.parent()?.to_owned(),
        ElfBytes::Owned(_) => return None,
    };
    let path = Path::new(&base).join(name);
    let here = files.open_here(path.to_str()?, Some(build_id)).ok();
    let found = here.or_else(|| files.fetch_debug_file(name, build_id));
    found.map(ElfBytes::File)
}

fn by_build_id(files: &Files, build_id: &[u8]) -> Option<ElfBytes> {
    let hex = hex(build_id);
    let (first, rest) = hex.split_at_checked(2)?;
    debug_dirs(files).find_map(|dir| {
        let path = format!("{dir}/.build-id/{first}/{rest}.debug");
        files
            .open_here(&path, Some(build_id))
            .ok()
            .map(ElfBytes::File)
    })
}

/// The user's debug folders, then the system's.
fn debug_dirs(files: &Files) -> impl Iterator<Item = String> {
    let given = files.options.debug_dirs.iter();
    given
        .filter_map(|dir| dir.to_str().map(str::to_owned))
        .chain([SYSTEM_DEBUG_DIR.to_owned()])
}

/// The CRC that `.gnu_debuglink` holds: that of zlib and Ethernet, polynomial 0xedb88320.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = (value >> 1) ^ (0xedb8_8320 & (value & 1).wrapping_neg());
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let step = |crc: u32, byte: &u8| {
        let index = (crc as u8 ^ byte) as usize;
        (crc >> 8) ^ TABLE.get(index).copied().unwrap_or_default()
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_the_one_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
