//! The text of /proc/PID/maps, as `show_map_vma` of Linux fs/proc/task_mmu.c writes it:
//! `start-end perms offset dev inode   path`. In the path only the newline is escaped (`\012`);
//! a file that is gone has " (deleted)" behind its name.

use super::Mapping;
use crate::addr::Addr;
use crate::escape;

/// All mappings of the text, in its order, which is by address. A line that makes no sense is
/// left out.
pub(super) fn parse(text: &[u8]) -> Vec<Mapping> {
    text.split(|&byte| byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let (start, end) = text()?.split_once('-')?;
    let permissions = text()?.as_bytes();
    let offset = u64::from_str_radix(text()?, 16).ok()?;
    text()?; // The device: major and minor number.
    text()?; // The inode.
    let (path, deleted) = match fields.next().map(<[u8]>::trim_ascii_start) {
        None | Some(b"") => (None, false),
        Some(name) => {
            let (name, deleted) = without_deleted(name);
            (Some(unescape(name)), deleted)
        }
    };
    let allows = |index: usize, letter: u8| permissions.get(index) == Some(&letter);
    Some(Mapping {
        start: Addr(u64::from_str_radix(start, 16).ok()?),
        end: Addr(u64::from_str_radix(end, 16).ok()?),
        read: allows(0, b'r'),
        write: allows(1, b'w'),
        execute: allows(2, b'x'),
        shared: allows(3, b's'),
        offset,
        path,
        deleted,
    })
}

/// The name without the kernel's " (deleted)", and whether it was there.
pub(super) fn without_deleted(name: &[u8]) -> (&[u8], bool) {
    match name.strip_suffix(b" (deleted)") {
        Some(name) => (name, true),
        None => (name, false),
    }
}

/// A name with its newlines back. Bytes that are not UTF-8 become `\xNN`.
fn unescape(name: &[u8]) -> String {
    escape::lossy(name).replace("\\012", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Mapping {
        let all = parse(line.as_bytes());
        assert_eq!(all.len(), 1, "{line}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn a_file_mapping() {
        let mapping =
            one("7f10-7f20 r-xp 00028000 fe:00 4321                       /usr/lib/libc.so.6\n");
        assert_eq!((mapping.start, mapping.end), (Addr(0x7f10), Addr(0x7f20)));
        assert!(mapping.read && !mapping.write && mapping.execute && !mapping.shared);
        assert_eq!(mapping.offset, 0x28000);
        assert_eq!(mapping.file(), Some("/usr/lib/libc.so.6"));
        assert!(!mapping.deleted);
    }

    #[test]
    fn names_of_every_sort() {
        let path = |name: &str| {
            let mapping = one(&format!("1000-2000 rw-s 00000000 00:01 7 {name}"));
            (mapping.path, mapping.deleted)
        };
        assert_eq!(path(""), (None, false));
        assert_eq!(path("   [heap]"), (Some("[heap]".into()), false));
        assert_eq!(path("/x (deleted)"), (Some("/x".into()), true));
        assert_eq!(path("/a b  c"), (Some("/a b  c".into()), false));
        assert_eq!(path("/a\\012b"), (Some("/a\nb".into()), false));
        let raw = parse(b"1000-2000 r--p 00000000 00:01 7 /\xff");
        assert_eq!(raw[0].path.as_deref(), Some("/\\xff"));
    }

    #[test]
    fn no_path_at_all() {
        assert_eq!(one("1000-2000 ---p 00000000 00:00 0 ").path, None);
        assert_eq!(one("1000-2000 ---p 00000000 00:00 0").path, None);
    }

    #[test]
    fn nonsense_is_left_out() {
        assert!(parse(b"\n\nhello\n10-zz r--p 0 0 0\n1000 r--p 0 0 0\n").is_empty());
    }
}
