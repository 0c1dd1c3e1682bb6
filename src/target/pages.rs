//! Which pages of a live process there are, and whose they are: PAGEMAP_SCAN (Linux 6.7,
//! Documentation/admin-guide/mm/pagemap.rst), which steps over what is not there; for older kernels
//! /proc/PID/pagemap, an entry for each page. Nothing is touched by asking.

#![allow(unsafe_code)]

use super::proc::Task;
use nix::errno::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// `PAGEMAP_SCAN` of include/uapi/linux/fs.h: _IOWR('f', 16, struct pm_scan_arg).
const SCAN: libc::c_ulong = 0xc060_6610;
/// `PAGE_IS_FILE`, `PAGE_IS_PRESENT`, `PAGE_IS_SWAPPED`, `PAGE_IS_PFNZERO`.
const IS_FILE: u64 = 1 << 2;
const IS_PRESENT: u64 = 1 << 3;
const IS_SWAPPED: u64 = 1 << 4;
const IS_ZERO: u64 = 1 << 5;

/// The bits of an entry of pagemap: in RAM, in swap, of a file.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;

/// How many runs one call of the kernel gives, and how many entries of pagemap are read at once.
const AT_ONCE: usize = 4096;

/// Pages next to each other of one sort, by addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRun {
    /// From the first to the last byte.
    pub range: Range<u64>,
    /// They are those of a file, as others see them too; else the process has written them, or
    /// they are in swap.
    pub of_file: bool,
}

/// The way to ask.
pub struct Pages {
    pagemap: File,
    /// The kernel knows PAGEMAP_SCAN.
    scans: AtomicBool,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

impl Pages {
    /// Of the process that a thread belongs to.
    pub fn of(task: Task) -> io::Result<Pages> {
        Ok(Pages {
            pagemap: File::open(task.path("pagemap"))?,
            scans: AtomicBool::new(true),
        })
    }

    /// The pages that there are in a range of whole pages, in RAM or in swap, by address. Pages
    /// that are the kernel's page of zeros are left out where it tells them.
    pub fn runs(&self, range: Range<u64>) -> io::Result<Vec<PageRun>> {
        if self.scans.load(Ordering::Relaxed) {
            match self.scan(range.clone()) {
                Err(Errno::ENOTTY | Errno::EINVAL) => self.scans.store(false, Ordering::Relaxed),
                found => return Ok(found?),
            }
        }
        self.entries(range)
    }

    fn scan(&self, range: Range<u64>) -> Result<Vec<PageRun>, Errno> {
        let mut regions = vec![Region::default(); AT_ONCE];
        let mut runs = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let mut argument = ScanArgument {
                size: size_of::<ScanArgument>() as u64,
                start,
                end: range.end,
                vec: regions.as_mut_ptr() as u64,
                vec_len: regions.len() as u64,
                category_anyof_mask: IS_PRESENT | IS_SWAPPED,
                return_mask: IS_PRESENT | IS_FILE | IS_ZERO,
                ..ScanArgument::default()
            };
            // SAFETY: the kernel reads and writes `argument`, whose size it is told, and writes at
            // most `vec_len` regions to `regions`; both outlive the call.
            let found = unsafe { libc::ioctl(self.pagemap.as_raw_fd(), SCAN, &raw mut argument) };
            let found = Errno::result(found)? as usize;
            for region in regions.iter().take(found) {
                if region.categories & IS_ZERO == 0 {
                    let of_file =
                        region.categories & (IS_PRESENT | IS_FILE) == IS_PRESENT | IS_FILE;
                    push(&mut runs, region.start..region.end, of_file);
                }
            }
            if argument.walk_end <= start {
                break;
            }
            start = argument.walk_end;
        }
        Ok(runs)
    }

    fn entries(&self, range: Range<u64>) -> io::Result<Vec<PageRun>> {
        let mut runs = Vec::new();
        let mut buffer = vec![0; AT_ONCE * 8];
        let mut page = range.start / PAGE;
        let last = range.end / PAGE;
        while page < last {
            let wanted = (last - page).min(AT_ONCE as u64) as usize * 8;
            let read = self
                .pagemap
                .read_at(buffer.get_mut(..wanted).unwrap_or_default(), page * 8)?;
            let (entries, _) = buffer.get(..read).unwrap_or_default().as_chunks::<8>();
            for (number, entry) in (page..).zip(entries) {
                let entry = u64::from_le_bytes(*entry);
                if entry & (PRESENT | SWAPPED) != 0 {
                    let start = number * PAGE;
                    let of_file = entry & (PRESENT | OF_FILE) == PRESENT | OF_FILE;
                    push(&mut runs, start..start + PAGE, of_file);
                }
            }
            match entries.len() as u64 {
                0 => break,
                count => page += count,
            }
        }
        Ok(runs)
    }
}

/// Adds a run, joined to the one before where they touch and are of one sort.
fn push(runs: &mut Vec<PageRun>, range: Range<u64>, of_file: bool) {
    match runs.last_mut() {
        Some(last) if last.range.end == range.start && last.of_file == of_file => {
            last.range.end = range.end;
        }
        _ => runs.push(PageRun { range, of_file }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_pages_that_were_written() {
        let pages = Pages::of(Task::leader(std::process::id() as i32)).unwrap();
        let mut map = memmap2::MmapMut::map_anon(64 << 12).unwrap();
        for page in [3, 4, 40] {
            map[page << 12] = 1;
        }
        let start = map.as_ptr() as u64;
        let wanted: Vec<_> = [(3, 5), (40, 41)]
            .map(|(from, to)| start + from * PAGE..start + to * PAGE)
            .into();
        let range = start..start + (64 << 12);
        for runs in [pages.runs(range.clone()), pages.entries(range)] {
            let runs = runs.unwrap();
            assert!(runs.iter().all(|run| !run.of_file));
            let found: Vec<_> = runs.into_iter().map(|run| run.range).collect();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn pages_of_files_are_told() {
        let task = Task::leader(std::process::id() as i32);
        let maps = task.maps().unwrap();
        let code = maps.iter().find(|m| m.execute && m.file().is_some());
        let code = code.unwrap();
        let pages = Pages::of(task).unwrap();
        let range = code.start.0..code.end.0;
        for runs in [pages.runs(range.clone()), pages.entries(range)] {
            assert!(runs.unwrap().iter().all(|run| run.of_file));
        }
    }
}
