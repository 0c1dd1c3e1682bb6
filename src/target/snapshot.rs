//! The memory of a live process. While it is stopped, every page that is read is kept, with its
//! neighbours; after the release these pages stay as they were, and all others are read from the
//! running process and not kept. What was captured thus stays consistent in itself; a read that
//! goes beyond it may see a later moment.
//!
//! With `--no-stop` nothing is ever kept.

#![allow(unsafe_code)]

use super::Mapping;
use super::memory::{Fault, Memory, Why};
use super::mirror::Mirrors;
use super::remote::{MOST_PIECES, Remote};
use super::window::{PAGE, Run, Window};
use crate::addr::Addr;
use nix::errno::Errno;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

/// The piece of the address space that one window mirrors. A mapping of terabytes (address
/// sanitizer's) needs mirrors only where it is read.
const WINDOW: u64 = 64 << 20;

/// How many pages are read together: 16 KiB, aligned. Frames lie next to each other.
const AHEAD: usize = 4;

/// The most pages in one piece of a read: 1 MiB, so that a call stays below 1 GiB, half of what
/// the kernel would cut it to.
const MOST_PAGES: usize = 256;

/// A live process's memory.
pub(super) struct Snapshot {
    remote: Remote,
    /// By address.
    regions: Vec<Region>,
    mirrors: Mirrors,
    /// Whether pages are kept at all: not with `--no-stop`.
    keeps: bool,
    /// How many pages are read together.
    ahead: usize,
    /// Whether the process is stopped. Held for reading during reads of a stopped process, so
    /// that the release waits for them.
    stopped: RwLock<bool>,
    /// How many reads wanted pages that can change and are not kept after the release.
    missed: AtomicUsize,
}

/// One mapping and its windows.
struct Region {
    start: u64,
    end: u64,
    readable: bool,
    writable: bool,
    windows: OnceLock<Box<[OnceLock<Option<Window>>]>>,
}

impl Region {
    fn new(mapping: &Mapping) -> Region {
        Region {
            start: mapping.start.0,
            end: mapping.end.0,
            readable: mapping.read,
            writable: mapping.write,
            windows: OnceLock::new(),
        }
    }

    /// The window that mirrors `addr`, which lies in the region.
    fn window(&self, addr: u64, mirrors: &Mirrors) -> Option<&Window> {
        if !self.readable {
            return None;
        }
        let first = self.start / WINDOW;
        let windows = self.windows.get_or_init(|| {
            let count = self.end.div_ceil(WINDOW) - first;
            (0..count).map(|_| OnceLock::new()).collect()
        });
        let number = addr / WINDOW;
        let slot = windows.get(usize::try_from(number.checked_sub(first)?).ok()?)?;
        let window = slot.get_or_init(|| {
            let start = self.start.max(number.checked_mul(WINDOW)?);
            let end = (start - start % WINDOW)
                .saturating_add(WINDOW)
                .min(self.end);
            Window::new(start, end, mirrors)
        });
        window.as_ref()
    }
}

/// Room for a copy that is going to be made, got before the process is stopped for it: what the
/// kernel takes to hand out a page is several times what it takes to copy one.
#[derive(Default)]
pub(super) struct Room {
    regions: FxHashMap<u64, Region>,
    mirrors: Mirrors,
}

impl Room {
    /// Room for these addresses and sizes in a process with these mappings.
    pub(super) fn new(mappings: &[Mapping], wanted: &[(Addr, usize)]) -> Room {
        let regions: Vec<Region> = mappings.iter().map(Region::new).collect();
        let mirrors = Mirrors::default();
        for &(addr, len) in wanted {
            for run in claim(&regions, &mirrors, addr.0, len) {
                run.touch();
            }
        }
        let regions = regions.into_iter().map(|region| (region.start, region));
        Room {
            regions: regions.collect(),
            mirrors,
        }
    }

    /// The region of a mapping, if it is the very one there was.
    fn region(&mut self, mapping: &Mapping) -> Region {
        let fresh = Region::new(mapping);
        let prepared = self.regions.remove(&fresh.start);
        let fits = |region: &Region| {
            (region.end, region.readable, region.writable)
                == (fresh.end, fresh.readable, fresh.writable)
        };
        prepared.filter(fits).unwrap_or(fresh)
    }
}

/// The region that holds an address, among all by address.
fn region(regions: &[Region], addr: u64) -> Option<&Region> {
    let index = regions.partition_point(|region| region.end <= addr);
    regions.get(index).filter(|region| region.start <= addr)
}

/// Claims the pages of these bytes that nobody has, as far as they are mapped in one piece.
fn claim<'r>(regions: &'r [Region], mirrors: &Mirrors, addr: u64, len: usize) -> Vec<Run<'r>> {
    let mut runs = Vec::new();
    let end = addr.saturating_add(len as u64);
    let window = |at| region(regions, at)?.window(at, mirrors);
    let mut at = addr;
    while let Some(window) = window(at).filter(|_| at < end) {
        let len = (end.min(window.end()) - at) as usize;
        let pages = window.range(at, len).unwrap_or_default();
        runs.extend(window.claim(pages, MOST_PAGES));
        at = window.end();
    }
    runs
}

impl Snapshot {
    /// The memory behind `remote`. When `stopped`, pages are kept until [`Snapshot::thaw`], in
    /// the room that was made for them if there is any.
    pub(super) fn new(
        remote: Remote,
        mappings: &[Mapping],
        stopped: bool,
        mut room: Room,
    ) -> Snapshot {
        let regions = mappings.iter().map(|mapping| room.region(mapping));
        Snapshot {
            remote,
            regions: regions.collect(),
            mirrors: room.mirrors,
            keeps: stopped,
            ahead: AHEAD,
            stopped: RwLock::new(stopped),
            missed: AtomicUsize::new(0),
        }
    }

    /// The way to read without keeping.
    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// What is kept, as addresses and sizes.
    pub(super) fn kept(&self) -> Vec<(Addr, usize)> {
        let windows = self
            .regions
            .iter()
            .filter_map(|region| region.windows.get());
        let windows = windows.flat_map(|windows| windows.iter());
        let windows = windows.filter_map(|window| window.get()?.as_ref());
        let runs = windows.flat_map(Window::filled);
        runs.map(|(start, len)| (Addr(start), len)).collect()
    }

    /// How many reads since the release went beyond what is kept.
    pub(super) fn missed(&self) -> usize {
        self.missed.load(Ordering::Relaxed)
    }

    /// Reads and keeps exactly the pages that are asked for.
    pub(super) fn exact(self) -> Snapshot {
        Snapshot { ahead: 1, ..self }
    }

    /// Stops keeping pages: the process is about to run. Returns when no page is being filled.
    pub(super) fn thaw(&self) {
        *self.stopped.write().unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn region(&self, addr: u64) -> Option<&Region> {
        region(&self.regions, addr)
    }

    /// Has the pages of these bytes read and kept, if the process is stopped.
    fn fill(&self, region: &Region, window: &Window, addr: u64, len: usize) {
        let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner);
        if !*stopped {
            self.missed
                .fetch_add(region.writable.into(), Ordering::Relaxed);
            return;
        }
        let Some(pages) = window.range(addr, len) else {
            return;
        };
        self.fetch(window.claim(window.widen(&pages, self.ahead), MOST_PAGES));
        // A page before these may have ended the read; then each is tried alone.
        if window.slice(addr, len).is_none() {
            self.fetch(window.claim(pages, 1));
        }
    }

    /// Reads runs of pages, many in each call. A run ends at the first page that is refused.
    fn fetch(&self, runs: Vec<Run<'_>>) {
        let mut queue = VecDeque::from(runs);
        while !queue.is_empty() {
            let count = queue.len().min(MOST_PIECES);
            let pieces: Vec<_> = queue.iter().take(count).map(Run::piece).collect();
            // SAFETY: the pieces are pages of our mirrors that are claimed by `queue` and not
            // published, so nobody else reads or writes them.
            let read = unsafe { self.remote.gather(&pieces) };
            let mut bytes = match read {
                Ok(bytes) => bytes,
                Err(Errno::EFAULT | Errno::EIO) => 0,
                // The process is gone: this says nothing about the pages.
                Err(_) => return,
            };
            for _ in 0..count {
                let Some(mut run) = queue.pop_front() else {
                    break;
                };
                let len = run.len();
                run.publish(bytes);
                if bytes < len {
                    run.refuse();
                    break;
                }
                bytes -= len;
            }
        }
    }

    /// Reads past the mirrors.
    fn read_through(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner);
        let fault = |addr: Addr, errno: Errno| Fault {
            addr,
            why: match self.region(addr.0) {
                Some(_) => Why::Refused(errno as i32),
                None if errno == Errno::ESRCH => Why::Refused(errno as i32),
                None => Why::Unmapped,
            },
        };
        if *stopped {
            // The mappings are known for sure, and what was refused will be refused again.
            let hopeless = match self.region(addr.0) {
                None => true,
                Some(region) if !region.readable => true,
                Some(region) => region
                    .window(addr.0, &self.mirrors)
                    .is_some_and(|w| w.refused(addr.0)),
            };
            if hopeless {
                return Err(fault(addr, Errno::EFAULT));
            }
        }
        self.remote
            .read(addr.0, buf, !*stopped)
            .map_err(|(done, errno)| fault(addr.add(done as u64), errno))
    }
}

impl Memory for Snapshot {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        if let Some(slice) = self.borrow(addr, buf.len()) {
            buf.copy_from_slice(slice);
            return Ok(());
        }
        self.prefetch(&[(addr, buf.len())]);
        // Page by page: the bytes span mirrors, or some pages are kept and others are not.
        let mut rest = buf;
        let mut at = addr;
        while !rest.is_empty() {
            let len = rest.len().min((PAGE - at.0 % PAGE) as usize);
            let (page, later) = rest.split_at_mut(len);
            match self.borrow(at, len) {
                Some(slice) => page.copy_from_slice(slice),
                None => self.read_through(at, page)?,
            }
            rest = later;
            at = at.add(len as u64);
        }
        Ok(())
    }

    fn borrow(&self, addr: Addr, len: usize) -> Option<&[u8]> {
        let region = self.region(addr.0).filter(|_| self.keeps)?;
        let window = region.window(addr.0, &self.mirrors)?;
        if let Some(slice) = window.slice(addr.0, len) {
            return Some(slice);
        }
        self.fill(region, window, addr.0, len);
        window.slice(addr.0, len)
    }

    fn prefetch(&self, ranges: &[(Addr, usize)]) {
        let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner);
        if !*stopped || !self.keeps {
            return;
        }
        let runs = ranges
            .iter()
            .flat_map(|&(addr, len)| claim(&self.regions, &self.mirrors, addr.0, len));
        self.fetch(runs.collect());
    }
}
