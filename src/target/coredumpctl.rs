//! The cores that systemd-coredump keeps, without its journal: each file's name says whose core it
//! is (`core.COMM.UID.BOOTID.PID.TIMESTAMP`, with an ending when it is packed), and its extended
//! attributes say the rest to whoever may read it.
//!
//! Mirrors systemd's src/coredump/coredump-submit.c (`make_filename`, `fix_xattr`; version 215 and
//! later) and src/basic/escape.c (`xescape`).

use super::packed::Format;
use serde::Serialize;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where systemd-coredump keeps cores.
pub const DIRECTORY: &str = "/var/lib/systemd/coredump";

/// One core.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entry {
    /// The file.
    pub path: PathBuf,
    /// When the process died: microseconds since 1970, as systemd counts.
    pub time: u64,
    /// Its process id.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// The signal it died of, if pydbg may read it.
    pub signal: Option<i32>,
    /// The kernel's name for it, 15 bytes at most.
    pub comm: String,
    /// Its executable, if pydbg may read it.
    pub exe: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// How it is packed, by its name.
    pub packed: Option<Format>,
    /// Whether pydbg may read it.
    pub readable: bool,
}

/// The cores in `folder`, the latest last. Other files are passed over.
pub fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        found.extend(file.ok().and_then(|file| entry(&file.path())));
    }
    found.sort_by(|a, b| (a.time, a.pid, &a.path).cmp(&(b.time, b.pid, &b.path)));
    Ok(found)
}

fn entry(path: &Path) -> Option<Entry> {
    let name = name(path.file_name()?.to_str()?)?;
    // A link could lead anywhere; systemd makes none here.
    let meta = std::fs::symlink_metadata(path).ok()?;
    meta.is_file().then_some(())?;
    let file = CString::new(path.as_os_str().as_bytes()).ok()?;
    let text = |key: &CStr| {
        let value = attribute(&file, key)?;
        Some(String::from_utf8_lossy(&value).into_owned())
    };
    Some(Entry {
        path: path.to_owned(),
        signal: text(c"user.coredump.signal").and_then(|signal| signal.parse().ok()),
        exe: text(c"user.coredump.exe"),
        size: meta.len(),
        readable: nix::unistd::access(path, nix::unistd::AccessFlags::R_OK).is_ok(),
        time: name.time,
        pid: name.pid,
        uid: name.uid,
        comm: name.comm,
        packed: name.packed,
    })
}

/// What a file's name says.
struct Name {
    comm: String,
    uid: u32,
    pid: i32,
    time: u64,
    packed: Option<Format>,
}

fn name(name: &str) -> Option<Name> {
    // Dots within a part are escaped.
    let mut parts = name.split('.');
    (parts.next()? == "core").then_some(())?;
    let comm = unescape(parts.next()?);
    let uid = parts.next()?.parse().ok()?;
    let boot = parts.next()?;
    let is_id = boot.len() == 32 && boot.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_id.then_some(())?;
    let pid = parts.next()?.parse().ok()?;
    let time = parts.next()?.parse().ok()?;
    let packed = match parts.next() {
        None => None,
        Some("zst") => Some(Format::Zstd),
        Some("lz4") => Some(Format::Lz4),
        Some("xz") => Some(Format::Xz),
        Some(_) => return None,
    };
    parts.next().is_none().then_some(Name {
        comm,
        uid,
        pid,
        time,
        packed,
    })
}

/// Brings `\x2e` back to a dot.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.strip_prefix(b"x").and_then(|code| code.get(..2));
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        (out, rest) = match byte.filter(|_| *first == b'\\') {
            Some(byte) => {
                out.push(byte);
                (out, behind.get(3..).unwrap_or_default())
            }
            None => {
                out.push(*first);
                (out, behind)
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An extended attribute; `None` when there is none or it may not be read.
#[allow(unsafe_code)]
fn attribute(file: &CStr, key: &CStr) -> Option<Vec<u8>> {
    let mut value = vec![0u8; 4096];
    // SAFETY: both strings end in NUL, and the kernel writes at most `value.len()` bytes.
    let len = unsafe {
        libc::lgetxattr(
            file.as_ptr(),
            key.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    value.truncate(usize::try_from(len).ok()?);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "0123456789abcdef0123456789abcdef";

    #[allow(unsafe_code)]
    fn set(path: &Path, key: &CStr, value: &str) {
        let file = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the strings end in NUL, and the value is as long as is said.
        let result = unsafe {
            libc::setxattr(
                file.as_ptr(),
                key.as_ptr(),
                value.as_ptr().cast(),
                value.len(),
                0,
            )
        };
        assert_eq!(result, 0, "the file system has no extended attributes");
    }

    #[test]
    fn names_and_attributes_are_understood() {
        let folder = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, b"core").unwrap();
            path
        };
        let later = write(&format!(
            "core.python3\\x2e11.1000.{BOOT}.4711.1700000002000000.zst"
        ));
        let first = write(&format!(
            "core.a\\x20\\xc3\\xa4.0.{BOOT}.12.1700000001000000"
        ));
        set(&later, c"user.coredump.signal", "11");
        set(&later, c"user.coredump.exe", "/usr/bin/python3.11");
        for other in [
            "core",
            "core.1234",
            "core.a.b.c.d.e",
            &format!("core.a.0.{BOOT}.12.17.txt"),
            &format!(".#core.a.0.{BOOT}.12.17.zst"),
            &format!("core.a.0.{BOOT}.12.17.zst.more"),
        ] {
            write(other);
        }
        std::fs::create_dir(folder.path().join(format!("core.a.0.{BOOT}.1.1"))).unwrap();
        let found = list(folder.path()).unwrap();
        let expected = [
            Entry {
                path: first,
                time: 1_700_000_001_000_000,
                pid: 12,
                uid: 0,
                signal: None,
                comm: "a ä".into(),
                exe: None,
                size: 4,
                packed: None,
                readable: true,
            },
            Entry {
                path: later,
                time: 1_700_000_002_000_000,
                pid: 4711,
                uid: 1000,
                signal: Some(11),
                comm: "python3.11".into(),
                exe: Some("/usr/bin/python3.11".into()),
                size: 4,
                packed: Some(Format::Zstd),
                readable: true,
            },
        ];
        assert_eq!(found, expected);
        assert!(list(&folder.path().join("none")).is_err());
    }

    #[test]
    fn escapes_that_are_none_stay() {
        for text in ["", "plain", "a\\", "a\\x", "a\\x2", "a\\xzz"] {
            assert_eq!(unescape(text), text);
        }
        assert_eq!(unescape("\\x5cx2e"), "\\x2e");
    }
}
