//! Which kinds of memory go into a core: the bits of /proc/PID/coredump_filter (core(5), "Controlling
//! which mappings are written to the core dump").

use serde::{Serialize, Serializer};
use std::str::FromStr;

/// What Linux dumps unless it is told otherwise (`MMF_DUMP_FILTER_DEFAULT` with
/// CONFIG_CORE_DUMP_DEFAULT_ELF_HEADERS): 0x33.
const DEFAULT: u32 = 0x33;

/// The kinds of memory that are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filter(u32);

impl Filter {
    /// What the process itself asks for, and at least what Linux dumps by default.
    pub(super) fn of_process(own: Option<&str>) -> Filter {
        let own = own.and_then(|own| u32::from_str_radix(own.trim(), 16).ok());
        Filter(own.unwrap_or_default() | DEFAULT)
    }

    /// Anonymous memory of the process alone.
    pub(super) fn anonymous(self) -> bool {
        self.has(0)
    }

    /// Anonymous memory, or memory of a file without a name, that is shared.
    pub(super) fn shared(self) -> bool {
        self.has(1)
    }

    /// Pages of files that are mapped for the process alone.
    pub(super) fn files(self) -> bool {
        self.has(2)
    }

    /// Files that are mapped to be shared.
    pub(super) fn shared_files(self) -> bool {
        self.has(3)
    }

    /// The first page of mapped ELF files, which has their build-ids.
    pub(super) fn heads(self) -> bool {
        self.has(4)
    }

    /// Huge pages of the process alone.
    pub(super) fn huge(self) -> bool {
        self.has(5)
    }

    /// Huge pages that are shared.
    pub(super) fn shared_huge(self) -> bool {
        self.has(6)
    }

    fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 != 0
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Filter, String> {
        let digits = text.trim_start_matches("0x");
        let bits = u32::from_str_radix(digits, 16).map_err(|_| {
            format!(
                "\"{text}\" is no mask: hexadecimal as in /proc/PID/coredump_filter, such as 0x33"
            )
        })?;
        match bits >> 9 {
            0 => Ok(Filter(bits)),
            _ => Err(format!(
                "{text} has bits that mean nothing; the highest is 0x100"
            )),
        }
    }
}

impl Serialize for Filter {
    /// As hexadecimal digits: `0x33`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_hexadecimal() {
        let filter: Filter = "0x33".parse().unwrap();
        assert!(filter.anonymous() && filter.shared() && filter.heads() && filter.huge());
        assert!(!filter.files() && !filter.shared_files() && !filter.shared_huge());
        assert_eq!("33".parse(), Ok(filter));
        assert_eq!(serde_json::to_value(filter).unwrap(), "0x33");
        assert!("python?".parse::<Filter>().is_err());
        assert!("0x200".parse::<Filter>().is_err());
        assert_eq!(Filter::of_process(None), filter);
        assert_eq!(Filter::of_process(Some("0000007f\n")), Filter(0x7f));
        assert_eq!(Filter::of_process(Some("00000000\n")), filter);
    }
}
