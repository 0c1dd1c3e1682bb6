//! `_PyRuntime` at an address that a symbol, a section or the cookie of `_Py_DebugOffsets` gives.

use super::super::layout::DebugOffsets;
use super::*;
use crate::target::Fault;

impl Search<'_> {
    /// Where files say that `_PyRuntime` is.
    pub(super) fn stated_places(&self) -> impl Iterator<Item = (Addr, String)> {
        let symbol = symbol(self.process, "_PyRuntime");
        let symbol = symbol.map(|(addr, image)| (addr, format!("symbol _PyRuntime of {image}")));
        let images = self
            .process
            .images
            .all
            .iter()
            .filter(|i| scan::is_python(&i.path));
        let sections = images.filter_map(|image| {
            let section = image.section(".PyRuntime")?;
            let addr = image.addr(crate::Svma(section.svma));
            Some((addr, format!("section .PyRuntime of {}", image.path)))
        });
        symbol.into_iter().chain(sections)
    }

    /// Where the cookie of `_Py_DebugOffsets` is in memory.
    pub(super) fn cookie_places(&self) -> impl Iterator<Item = (Addr, String)> {
        let regions = self.regions.all().into_iter();
        regions.flat_map(|(name, regions)| {
            let found = scan::cookies(&*self.target.memory, regions);
            found
                .into_iter()
                .map(move |addr| (addr, format!("the cookie in {name}")))
        })
    }

    /// Tries `_PyRuntime` at `addr`.
    pub(super) fn at_runtime(&self, addr: Addr, source: &str) -> Result<Found, PythonError> {
        let offsets = DebugOffsets::read(&*self.target.memory, addr);
        let not_found = |fault: Fault| PythonError::NotFound(fault.to_string());
        if let Some(offsets) = offsets.map_err(not_found)? {
            return self.with_offsets(addr, source, &offsets);
        }
        let fitting = self
            .tables()
            .find_map(|layout| self.with_layout(addr, source, layout));
        fitting.ok_or_else(|| PythonError::NotFound("no known layout fits what is there".into()))
    }

    /// Tries `_PyRuntime` at `addr` under one layout.
    pub(super) fn with_layout(&self, addr: Addr, source: &str, layout: &Layout) -> Option<Found> {
        let fields = layout.fields.runtime.as_ref()?;
        // The list's head may be damaged where the main interpreter is not.
        [fields.interpreters_head, fields.interpreters_main]
            .into_iter()
            .find_map(|field| {
                let head = self.target.memory.ptr(field.of(addr)).ok()?;
                let verdict = self.look(layout, head);
                let hinted = self.hint.is_some_and(|hint| hint.version == layout.version);
                let fits = verdict.fits(layout) || hinted && verdict.may_fit(layout);
                fits.then(|| self.found(Some(addr), source, layout.clone(), head, verdict))
            })
    }

    /// Takes the layout that the process states itself.
    fn with_offsets(
        &self,
        addr: Addr,
        source: &str,
        offsets: &DebugOffsets,
    ) -> Result<Found, PythonError> {
        let version = Version::from_hex(offsets.version, "_Py_DebugOffsets");
        let tables = Layout::tables(version.pair(), offsets.free_threaded);
        let stated = offsets.fingerprint();
        let measured = tables
            .clone()
            .find(|table| Some(table.fingerprint) == stated);
        let Some(table) = measured.or_else(|| tables.clone().next()) else {
            return Err(PythonError::Unsupported {
                version: version.to_string(),
                why: KNOWN.into(),
            });
        };
        let mut layout = table.clone();
        let differing = offsets.apply(&mut layout);
        if measured.is_some() && !differing.is_empty() {
            self.notes.info(format!(
                "_Py_DebugOffsets differs from what was measured on {}: {}",
                layout.measured,
                differing.join(", ")
            ));
        }
        let field = layout
            .fields
            .runtime
            .map(|runtime| runtime.interpreters_head);
        let head = field.map(|field| self.target.memory.ptr(field.of(addr)));
        let Some(Ok(head)) = head else {
            return Err(PythonError::NotFound(
                "its list of interpreters cannot be read".into(),
            ));
        };
        let verdict = self.look(&layout, head);
        if !verdict.threads && !verdict.namespaces {
            let why = format!("nothing at {head} looks like an interpreter");
            return Err(PythonError::NotFound(why));
        }
        let mut found = self.found(Some(addr), source, layout, head, verdict);
        found.version = Version {
            free_threaded: offsets.free_threaded,
            debug: verdict.debug,
            ..version
        };
        Ok(found)
    }
}
