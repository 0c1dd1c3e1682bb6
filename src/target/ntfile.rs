//! NT_FILE: which file is mapped where. Mirrors `fill_files_note` of Linux fs/binfmt_elf.c and
//! `linux_make_mappings_corefile_notes` of gdb: count, page size, count × (start, end, offset in
//! pages), then the names. gdb states a page size of 1 and offsets in bytes.

use crate::bytes;

/// Bytes before the ranges, and of each range.
const HEADER: usize = 16;
const RANGE: usize = 24;
const PAGE: u64 = 4096;
/// What the kernel adds to the name of a file that is gone.
const DELETED: &str = " (deleted)";

/// One mapping of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FileEntry {
    /// First address.
    pub(super) start: u64,
    /// Address behind it.
    pub(super) end: u64,
    /// Offset into the file, in bytes.
    pub(super) offset: u64,
    /// The file, without " (deleted)".
    pub(super) path: String,
    /// It was deleted or replaced.
    pub(super) deleted: bool,
}

/// All mapped files, by address, without overlaps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FileTable {
    /// The mappings.
    pub(super) entries: Vec<FileEntry>,
    /// The stated page size; 1 in gdb's cores.
    pub(super) page_size: u64,
    /// What is wrong with it; then a mapping that it lacks need not be anonymous.
    pub(super) damage: Option<String>,
}

/// Reads the note. `None` when not even its header is there.
pub(super) fn parse(content: &[u8]) -> Option<FileTable> {
    let stated = bytes::u64_at(content, 0)?;
    let page_size = bytes::u64_at(content, 8)?;
    let mut damage = None;
    let unit = match page_size.is_power_of_two() && page_size <= 1 << 30 {
        true => page_size,
        false => {
            damage = Some(format!("its page size {page_size} cannot be true"));
            PAGE
        }
    };
    let names_after = |count: usize| {
        let at = count.checked_mul(RANGE)?.checked_add(HEADER)?;
        content.get(at..).filter(|tail| names_start(tail))
    };
    let count = usize::try_from(stated)
        .ok()
        .filter(|&count| match count {
            0 => run(content) == 0,
            count => names_after(count).is_some(),
        })
        .unwrap_or_else(|| {
            let count = run(content);
            damage = Some(format!("it says {stated} files and has {count}"));
            count
        });
    let names = names_after(count).unwrap_or_default();
    let mut names = names.split(|&byte| byte == 0);
    let mut entries = Vec::new();
    for index in 0..count {
        let at = HEADER + index * RANGE;
        let Some((start, end, pages)) = range(content, at) else {
            break;
        };
        let name = names.next().filter(|name| !name.is_empty());
        let offset = pages.checked_mul(unit);
        let (Some(name), Some(offset), true) = (name, offset, start < end) else {
            damage.get_or_insert_with(|| "some of its ranges or names are cut or damaged".into());
            continue;
        };
        let name = String::from_utf8_lossy(name);
        let (path, deleted) = match name.strip_suffix(DELETED) {
            Some(path) => (path, true),
            None => (name.as_ref(), false),
        };
        entries.push(FileEntry {
            start,
            end,
            offset,
            path: path.to_owned(),
            deleted,
        });
    }
    entries.sort_by_key(|entry| entry.start);
    let before = entries.len();
    let mut reached = 0;
    entries.retain(|entry| {
        let apart = entry.start >= reached;
        if apart {
            reached = entry.end;
        }
        apart
    });
    if entries.len() != before {
        damage.get_or_insert_with(|| "some of its ranges overlap".into());
    }
    Some(FileTable {
        entries,
        page_size,
        damage,
    })
}

/// Names are absolute paths, or `anon_inode:[…]` and the like; never control bytes.
fn names_start(tail: &[u8]) -> bool {
    let name = tail.split(|&byte| byte == 0).next().unwrap_or_default();
    name.first()
        .is_some_and(|&byte| byte == b'/' || byte.is_ascii_lowercase())
        && name.iter().take(8).all(|&byte| byte >= b' ')
}

/// How many ranges there are, judged by the ranges: page-aligned, rising, apart.
fn run(content: &[u8]) -> usize {
    let mut reached = 0;
    let mut count = 0;
    while let Some((start, end, _)) = range(content, HEADER + count * RANGE) {
        if start < reached || end <= start || start % PAGE != 0 || end % PAGE != 0 {
            break;
        }
        reached = end;
        count += 1;
    }
    count
}

fn range(content: &[u8], at: usize) -> Option<(u64, u64, u64)> {
    Some((
        bytes::u64_at(content, at)?,
        bytes::u64_at(content, at + 8)?,
        bytes::u64_at(content, at + 16)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(count: u64, page_size: u64, ranges: &[[u64; 3]], names: &str) -> Vec<u8> {
        let words = [count, page_size].into_iter().chain(ranges.concat());
        words
            .flat_map(u64::to_le_bytes)
            .chain(names.bytes())
            .collect()
    }

    const RANGES: [[u64; 3]; 2] = [[0x1000, 0x2000, 0], [0x2000, 0x4000, 1]];

    #[test]
    fn offsets_are_in_pages_of_the_stated_size() {
        let kernel = parse(&note(2, 4096, &RANGES, "/a\0/b (deleted)\0")).unwrap();
        assert_eq!(kernel.entries[1].offset, 4096);
        assert_eq!(kernel.entries[1].path, "/b");
        assert!(kernel.entries[1].deleted && !kernel.entries[0].deleted);
        assert_eq!(kernel.damage, None);
        let gcore = [[0x1000, 0x2000, 0], [0x2000, 0x4000, 0x3000]];
        let gcore = parse(&note(2, 1, &gcore, "/a\0/b\0")).unwrap();
        assert_eq!(gcore.entries[1].offset, 0x3000);
    }

    #[test]
    fn a_damaged_count_is_replaced_by_what_fits() {
        for count in [0xffff_ffff_ffff_ffff, 1 << 60, 1002, 0, 1, 3] {
            let table = parse(&note(count, 4096, &RANGES, "/a\0/b\0")).unwrap();
            assert_eq!(table.entries.len(), 2, "{count}");
            assert_eq!(table.entries[1].path, "/b");
            assert!(table.damage.is_some());
        }
        assert_eq!(parse(&note(0, 4096, &[], "")).unwrap().damage, None);
    }

    #[test]
    fn cut_names_and_overlaps_are_damage() {
        let cut = parse(&note(2, 4096, &RANGES, "/a\0")).unwrap();
        assert_eq!(cut.entries.len(), 1);
        assert!(cut.damage.is_some());
        let over = [[0x1000, 0x3000, 0], [0x2000, 0x4000, 1]];
        let over = parse(&note(2, 4096, &over, "/a\0/b\0")).unwrap();
        assert_eq!(over.entries.len(), 1);
        assert!(over.damage.is_some());
    }
}
