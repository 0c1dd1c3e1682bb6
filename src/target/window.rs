//! A piece of pydbg's own memory that mirrors a piece of the target's, page by page. A page is
//! written once, before it is published, and never again, so that slices of published pages can
//! be lent out while other pages are still being filled.

#![allow(unsafe_code)]

use super::mirror::{Mirror, Mirrors};
use super::remote::Piece;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes of a page of the target. Every CPU pydbg reads has a multiple of it.
pub(super) const PAGE: u64 = 4096;

/// Nobody has asked for the page.
const EMPTY: u8 = 0;
/// Some thread of pydbg is reading it.
const CLAIMED: u8 = 1;
/// It is there and does not change any more.
const FILLED: u8 = 2;
/// The kernel did not hand it out.
const REFUSED: u8 = 3;

/// The mirror of `[start, end)`, which is whole pages.
pub(super) struct Window {
    start: u64,
    end: u64,
    mirror: Mirror,
    /// One state for each page.
    pages: Box<[AtomicU8]>,
}

/// Some pages of a window in a row, claimed by whoever has the value. Pages that were not
/// published when it is dropped become free again.
pub(super) struct Run<'a> {
    window: &'a Window,
    pages: Range<usize>,
}

impl Window {
    /// An empty mirror; `None` when there is no memory for one.
    pub(super) fn new(start: u64, end: u64, mirrors: &Mirrors) -> Option<Window> {
        let len = usize::try_from(end.checked_sub(start)?).ok()?;
        Some(Window {
            start,
            end,
            mirror: mirrors.take(len)?,
            pages: (0..len / PAGE as usize)
                .map(|_| AtomicU8::new(EMPTY))
                .collect(),
        })
    }

    /// The first address behind it.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The bytes, if they lie in the window as a whole and their pages are all published.
    pub(super) fn slice(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let pages = self.range(addr, len)?;
        let states = self.pages.get(pages)?;
        if states
            .iter()
            .any(|state| state.load(Ordering::Acquire) != FILLED)
        {
            return None;
        }
        let offset = usize::try_from(addr.checked_sub(self.start)?).ok()?;
        // SAFETY: `range` checked that [offset, offset + len) lies in the mirror. All its pages
        // are FILLED: written before that state was stored (Release/Acquire) and never written
        // again, and the mirror lives as long as `self`.
        Some(unsafe { std::slice::from_raw_parts(self.mirror.start().add(offset), len) })
    }

    /// The addresses and sizes of its published pages, in runs.
    pub(super) fn filled(&self) -> Vec<(u64, usize)> {
        let mut runs: Vec<(u64, usize)> = Vec::new();
        for (number, state) in self.pages.iter().enumerate() {
            if state.load(Ordering::Acquire) != FILLED {
                continue;
            }
            let at = self.start.wrapping_add(number as u64 * PAGE);
            match runs.last_mut() {
                Some((start, len)) if start.wrapping_add(*len as u64) == at => {
                    *len += PAGE as usize
                }
                _ => runs.push((at, PAGE as usize)),
            }
        }
        runs
    }

    /// Whether the kernel refused the page that holds `addr`.
    pub(super) fn refused(&self, addr: u64) -> bool {
        self.range(addr, 1)
            .and_then(|pages| self.pages.get(pages.start))
            .is_some_and(|state| state.load(Ordering::Relaxed) == REFUSED)
    }

    /// The places of the pages that hold these bytes; `None` when they leave the window.
    pub(super) fn range(&self, addr: u64, len: usize) -> Option<Range<usize>> {
        let end = addr.checked_add(len as u64)?;
        if addr < self.start || end > self.end {
            return None;
        }
        let first = usize::try_from((addr - self.start) / PAGE).ok()?;
        let last = usize::try_from((end - self.start).div_ceil(PAGE)).ok()?;
        Some(first..last)
    }

    /// `pages` grown on both sides to multiples of `step` pages of the target's address space.
    pub(super) fn widen(&self, pages: &Range<usize>, step: usize) -> Range<usize> {
        let shift = (self.start / PAGE) as usize % step;
        let first = (pages.start + shift) / step * step;
        let last = (pages.end + shift).next_multiple_of(step) - shift;
        first.saturating_sub(shift)..last.min(self.pages.len())
    }

    /// Claims the pages among `pages` that nobody has or reads, as runs of `most` pages each.
    pub(super) fn claim(&self, pages: Range<usize>, most: usize) -> Vec<Run<'_>> {
        let mut runs: Vec<Run<'_>> = Vec::new();
        for page in pages {
            let mine = self.pages.get(page).is_some_and(|state| {
                state
                    .compare_exchange(EMPTY, CLAIMED, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            });
            if !mine {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.pages.end == page && run.pages.len() < most => run.pages.end += 1,
                _ => runs.push(Run {
                    window: self,
                    pages: page..page + 1,
                }),
            }
        }
        runs
    }
}

impl Run<'_> {
    /// Bytes of its pages.
    pub(super) fn len(&self) -> usize {
        self.pages.len() * PAGE as usize
    }

    /// Where its pages are, there and here.
    pub(super) fn piece(&self) -> Piece {
        let offset = self.pages.start * PAGE as usize;
        Piece {
            // SAFETY: a run's pages are pages of its window, so the offset lies in the mirror.
            local: unsafe { self.window.mirror.start().add(offset) },
            remote: self.window.start.wrapping_add(offset as u64),
            len: self.len(),
        }
    }

    /// Has the kernel give the memory for its pages, which it does at the first write.
    pub(super) fn touch(&self) {
        let first = self.piece().local;
        for page in 0..self.pages.len() {
            // SAFETY: the page lies in the mirror and is claimed by this run, so nobody else
            // reads or writes it.
            unsafe { first.add(page * PAGE as usize).write_volatile(0) };
        }
    }

    /// Publishes the first pages, of which `bytes` bytes were read: as many as are whole.
    pub(super) fn publish(&mut self, bytes: usize) {
        let whole = (bytes / PAGE as usize).min(self.pages.len());
        self.settle(whole, FILLED);
    }

    /// Remembers that the first page is not to be had.
    pub(super) fn refuse(&mut self) {
        self.settle(1, REFUSED);
    }

    /// Gives the first `count` pages their last state.
    fn settle(&mut self, count: usize, state: u8) {
        let settled = self.pages.start..self.pages.end.min(self.pages.start + count);
        self.pages.start = settled.end;
        self.set(settled, state);
    }

    fn set(&self, pages: Range<usize>, state: u8) {
        for page in self.window.pages.get(pages).unwrap_or_default() {
            page.store(state, Ordering::Release);
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.set(self.pages.clone(), EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_lent_only_when_published() {
        let window = Window::new(0x11000, 0x11000 + 8 * PAGE, &Mirrors::default()).unwrap();
        assert_eq!(window.range(0x11fff, 2), Some(0..2));
        assert_eq!(window.range(0x10fff, 2), None);
        assert_eq!(window.range(0x18fff, 2), None);
        assert_eq!(window.range(u64::MAX, 2), None);
        // 0x11000 is page 17: with steps of 4 pages, 16..20 holds the window's first three.
        assert_eq!(window.widen(&(0..1), 4), 0..3);
        assert_eq!(window.widen(&(3..4), 4), 3..7);
        assert_eq!(window.widen(&(7..8), 4), 7..8);

        assert!(window.slice(0x11000, 8).is_none());
        let mut runs = window.claim(0..5, 4);
        assert_eq!(runs.len(), 2, "four pages at most in each");
        assert!(window.claim(0..5, 4).is_empty(), "claimed once");
        let piece = runs[0].piece();
        assert_eq!((piece.remote, piece.len), (0x11000, 4 * PAGE as usize));
        // SAFETY: the piece is claimed by this test alone.
        unsafe { piece.local.write_bytes(7, 4096) };
        runs[0].publish(4096 + 100);
        runs[0].refuse();
        drop(runs);
        assert_eq!(window.slice(0x11ffe, 2), Some(&[7, 7][..]));
        assert!(window.slice(0x11ffe, 3).is_none());
        assert!(window.refused(0x12000) && !window.refused(0x13000));
        assert_eq!(window.claim(0..5, 4).len(), 1, "the rest is free again");
    }
}
