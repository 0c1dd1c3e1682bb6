//! Which kinds of memory go into a core: the bits of /proc/PID/coredump_filter (core(5), "Controlling
//! which mappings are written to the core dump"), and whether only what Python analysis needs.

use serde::{Serialize, Serializer};
use std::str::FromStr;

/// What Linux dumps unless it is told otherwise (`MMF_DUMP_FILTER_DEFAULT` with
/// CONFIG_CORE_DUMP_DEFAULT_ELF_HEADERS): 0x33.
const DEFAULT: u32 = 0x33;

/// The kinds of memory that are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filter {
    bits: u32,
    /// Whether the bits were given.
    stated: bool,
    python: bool,
}

impl Filter {
    /// What the process itself asks for, and at least what Linux dumps by default.
    pub(super) fn of_process(own: Option<&str>) -> Filter {
        let own = own.and_then(|own| u32::from_str_radix(own.trim(), 16).ok());
        Filter {
            bits: own.unwrap_or_default() | DEFAULT,
            stated: false,
            python: false,
        }
    }

    /// With the bits of the process where none were given.
    pub(super) fn or_of(self, own: Option<&str>) -> Filter {
        let bits = match self.stated {
            true => self.bits,
            false => Filter::of_process(own).bits,
        };
        Filter { bits, ..self }
    }

    /// Of what the bits ask for, only what analysis of Python needs.
    pub fn python(self) -> bool {
        self.python
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
        self.bits >> bit & 1 != 0
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Filter, String> {
        let mut filter = Filter {
            bits: 0,
            stated: false,
            python: false,
        };
        for part in text.split(',') {
            if part == "python" {
                filter.python = true;
                continue;
            }
            let digits = part.trim_start_matches("0x");
            let bits = u32::from_str_radix(digits, 16).map_err(|_| {
                format!(
                    "\"{part}\" is neither \"python\" nor a mask: hexadecimal as in \
                     /proc/PID/coredump_filter, such as 0x33"
                )
            })?;
            if bits >> 9 != 0 {
                return Err(format!(
                    "{part} has bits that mean nothing; the highest is 0x100"
                ));
            }
            (filter.bits, filter.stated) = (bits, true);
        }
        Ok(filter)
    }
}

impl Serialize for Filter {
    /// As hexadecimal digits: `0x33`, `0x33,python`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let python = if self.python { ",python" } else { "" };
        serializer.collect_str(&format_args!("{:#x}{python}", self.bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_goes_with_a_mask_or_alone() {
        let filter: Filter = "python".parse().unwrap();
        let own = filter.or_of(Some("7f"));
        assert_eq!(serde_json::to_value(own).unwrap(), "0x7f,python");
        let filter: Filter = "0x31,python".parse().unwrap();
        assert!(filter.python() && filter.or_of(Some("7f")).bits == 0x31);
        assert!("0x33,snake".parse::<Filter>().is_err());
    }

    #[test]
    fn masks_are_hexadecimal() {
        let filter: Filter = "0x33".parse().unwrap();
        assert!(filter.anonymous() && filter.shared() && filter.heads() && filter.huge());
        assert!(!filter.files() && !filter.shared_files() && !filter.shared_huge());
        assert_eq!("33".parse(), Ok(filter));
        assert_eq!(serde_json::to_value(filter).unwrap(), "0x33");
        assert!("python?".parse::<Filter>().is_err());
        assert!("0x200".parse::<Filter>().is_err());
        assert_eq!(Filter::of_process(None).bits, 0x33);
        assert_eq!(Filter::of_process(Some("0000007f\n")).bits, 0x7f);
        assert_eq!(Filter::of_process(Some("00000000\n")).bits, 0x33);
    }
}
