//! Which CPython it is: the version word, and hints for when that word is not found first.

use super::scan::{self, Regions};
use crate::target::Target;
use serde::Serialize;
use std::fmt;

/// Which CPython.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// 3 of 3.11.7.
    pub major: u8,
    /// 11 of 3.11.7.
    pub minor: u8,
    /// 7 of 3.11.7; `None` when only the minor version is known.
    pub micro: Option<u8>,
    /// PY_VERSION_HEX, when known.
    pub hex: Option<u32>,
    /// A free-threaded build.
    pub free_threaded: bool,
    /// A debug build (`--with-pydebug`); `None` when not known.
    pub debug: Option<bool>,
    /// How the version is known, in words.
    pub source: String,
}

impl Version {
    /// From PY_VERSION_HEX (Include/patchlevel.h): major, minor, micro, level and serial.
    pub(super) fn from_hex(hex: u32, source: impl Into<String>) -> Version {
        let [major, minor, micro, _] = hex.to_be_bytes();
        Version {
            major,
            minor,
            micro: Some(micro),
            hex: Some(hex),
            free_threaded: false,
            debug: None,
            source: source.into(),
        }
    }

    /// Major and minor.
    pub fn pair(&self) -> (u8, u8) {
        (self.major, self.minor)
    }
}

impl fmt::Display for Version {
    /// `3.11.7`, `3.14.0rc1`, `3.13 free-threaded`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if let Some(micro) = self.micro {
            write!(f, ".{micro}")?;
        }
        let release = self.hex.map_or(0xf0, |hex| hex as u8);
        let level = match release >> 4 {
            0xa => "a",
            0xb => "b",
            0xc => "rc",
            _ => "",
        };
        if !level.is_empty() {
            write!(f, "{level}{}", release & 15)?;
        }
        if self.free_threaded {
            write!(f, " free-threaded")?;
        }
        Ok(())
    }
}

/// What something besides the version word says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hint {
    /// Major and minor version.
    pub(super) version: (u8, u8),
    /// Patch release.
    pub(super) micro: Option<u8>,
    /// Where that is written.
    pub(super) source: &'static str,
}

/// The version that the names of mapped files state, else the one of a version string in memory.
pub(super) fn hint(target: &Target, regions: &Regions) -> Option<Hint> {
    let files = target.mappings.iter().filter_map(|mapping| mapping.file());
    let libraries = files
        .clone()
        .filter_map(|path| from_path(path, "libpython"));
    // Extension modules lie in python3.11/lib-dynload even where the library does not tell.
    let folders = files.filter_map(|path| from_path(path, "python"));
    if let Some(version) = libraries.chain(folders).next() {
        return Some(Hint {
            version,
            micro: None,
            source: "the name of a mapped file",
        });
    }
    regions.all().iter().find_map(|(_, regions)| {
        let text = scan::version_string(&*target.memory, regions)?;
        let mut numbers = text.split('.');
        let mut number = || {
            let digits: String = numbers
                .next()?
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            digits.parse::<u8>().ok()
        };
        Some(Hint {
            version: (number()?, number()?),
            micro: number(),
            source: "the version string in memory",
        })
    })
}

/// The version in a component of `path` such as `libpython3.11.so.1.0` or `python3.11`.
fn from_path(path: &str, prefix: &str) -> Option<(u8, u8)> {
    path.split('/').find_map(|component| {
        let (major, rest) = component.strip_prefix(prefix)?.split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let major = major.parse().ok().filter(|major| matches!(major, 2 | 3))?;
        Some((major, minor.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_shown_as_cpython_shows_them() {
        let show = |hex| Version::from_hex(hex, "").to_string();
        assert_eq!(show(0x030b_07f0), "3.11.7");
        assert_eq!(show(0x030e_00c2), "3.14.0rc2");
        assert_eq!(show(0x030f_00a1), "3.15.0a1");
    }

    #[test]
    fn paths_tell_the_version() {
        let lib = |path| from_path(path, "libpython");
        assert_eq!(lib("/usr/lib/libpython3.11.so.1.0"), Some((3, 11)));
        assert_eq!(lib("/usr/lib/libpython3.6m.so.1.0"), Some((3, 6)));
        assert_eq!(lib("/usr/lib/libpython3.so"), None);
        let bin = |path| from_path(path, "python");
        assert_eq!(bin("/usr/lib/python3.13t/lib-dynload/_x.so"), Some((3, 13)));
        assert_eq!(bin("/usr/bin/python3"), None);
    }
}
