//! A build that no table fits, such as one of a version that is newer than pydbg: the kinds are
//! those of the nearest version, the offsets are those that the binary's DWARF states.

use super::super::layout::DwarfOffsets;
use super::*;

impl Search<'_> {
    /// Tries again what symbols state.
    pub(super) fn by_dwarf(&self) -> Option<Found> {
        let images = self
            .process
            .images
            .all
            .iter()
            .filter(|i| scan::is_python(&i.path));
        let (image, offsets) = images.into_iter().find_map(|image| {
            let section = |name: &str| image.debug_section(name);
            Some((image, DwarfOffsets::read(&section)?))
        })?;
        for (addr, source) in self.stated_places() {
            for free_threaded in [false, true] {
                let Some(mut layout) = self.nearest(free_threaded) else {
                    continue;
                };
                offsets.apply(&mut layout);
                if let Some(found) = self.with_layout(addr, &source, &layout) {
                    self.notes.partial(format!(
                        "no built-in layout fits; it is taken from the DWARF of {} and what is \
                         known of {}",
                        image.path, layout.measured
                    ));
                    return Some(found);
                }
            }
        }
        None
    }

    /// The table of the hinted version, or the newest, as if it were of that version.
    fn nearest(&self, free_threaded: bool) -> Option<Layout> {
        let mut newest = Layout::all_tables().filter(|t| t.free_threaded == free_threaded);
        let table = match self.hint {
            Some(hint) => Layout::tables(hint.version, free_threaded)
                .next()
                .or(newest.next()),
            None => newest.next(),
        };
        let mut layout = table?.clone();
        layout.version = self.hint.map_or(layout.version, |hint| hint.version);
        Some(layout)
    }
}
