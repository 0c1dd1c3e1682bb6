//! The text of /proc/PID/smaps, as `show_smap` of Linux fs/proc/task_mmu.c writes it: the lines of
//! maps, each with lines `Name:   NUMBER kB` behind it.

use serde::Serialize;

/// Bytes of one mapping by where they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Smap {
    /// The first address of the mapping.
    pub start: u64,
    /// In RAM.
    pub resident: u64,
    /// In RAM, each page divided by the number of processes that have it.
    pub proportional: u64,
    /// In RAM, written by this process alone.
    pub private_dirty: u64,
    /// In swap.
    pub swapped: u64,
    /// In RAM, and of no file.
    pub anonymous: u64,
    /// Its pages are those of a device, which reading may act upon.
    pub device: bool,
    /// The process wants none of it in cores (MADV_DONTDUMP).
    pub undumpable: bool,
    /// It has pages of the pool of huge ones (hugetlbfs).
    pub huge: bool,
}

/// All mappings of the text. A line that makes no sense is left out.
pub fn parse(text: &[u8]) -> Vec<Smap> {
    let mut all: Vec<Smap> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        if let Some(start) = head(line) {
            all.push(Smap {
                start,
                ..Smap::default()
            });
            continue;
        }
        if let Some((smap, flags)) = all.last_mut().zip(line.strip_prefix(b"VmFlags:")) {
            let has = |wanted: &[u8]| flags.split(|byte| *byte == b' ').any(|flag| flag == wanted);
            smap.device = has(b"io") || has(b"pf");
            smap.undumpable = has(b"dd");
            smap.huge = has(b"ht");
            continue;
        }
        let Some((smap, (name, bytes))) = all.last_mut().zip(field(line)) else {
            continue;
        };
        match name {
            b"Rss" => smap.resident = bytes,
            b"Pss" => smap.proportional = bytes,
            b"Private_Dirty" => smap.private_dirty = bytes,
            b"Swap" => smap.swapped = bytes,
            b"Anonymous" => smap.anonymous = bytes,
            _ => {}
        }
    }
    all
}

/// The first address of a line of maps: names of fields hold a colon and no hyphen before it.
fn head(line: &[u8]) -> Option<u64> {
    let hyphen = line.iter().position(|byte| !byte.is_ascii_hexdigit())?;
    let (start, rest) = line.split_at_checked(hyphen)?;
    rest.starts_with(b"-").then_some(())?;
    u64::from_str_radix(std::str::from_utf8(start).ok()?, 16).ok()
}

fn field(line: &[u8]) -> Option<(&[u8], u64)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, rest) = line.split_at_checked(colon)?;
    let number = rest.get(1..)?.strip_suffix(b" kB")?.trim_ascii();
    let kilobytes: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((name, kilobytes.checked_mul(1024)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_belong_to_the_mapping_before_them() {
        let text = b"7f10-7f20 rw-p 00000000 00:00 0 \n\
            Size:                 64 kB\nRss:                  12 kB\nPss:                   6 kB\n\
            Private_Dirty:         4 kB\nSwap:                  8 kB\nVmFlags: rd wr dd \n\
            8000-9000 r--p 00000000 fe:00 12   /a: b-c\nRss:                   4 kB\nRss: x kB\n";
        let all = parse(text);
        let first = Smap {
            start: 0x7f10,
            resident: 12 << 10,
            proportional: 6 << 10,
            private_dirty: 4 << 10,
            swapped: 8 << 10,
            undumpable: true,
            ..Smap::default()
        };
        let second = Smap {
            start: 0x8000,
            resident: 4 << 10,
            ..Smap::default()
        };
        assert_eq!(all, [first, second]);
    }

    #[test]
    fn nonsense_is_left_out() {
        assert!(parse(b"Rss: 4 kB\n-\nhello\n::\n").is_empty());
        let huge = parse(b"10-20 r--p\nRss: 18446744073709551615 kB\n");
        assert_eq!(huge[0].resident, 0);
    }
}
