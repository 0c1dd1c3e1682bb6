//! `_PyRuntime` at an address that a symbol, a section or the cookie of `_Py_DebugOffsets` gives.

use super::super::layout::DebugOffsets;
use super::*;

/// How many members of `_Py_DebugOffsets` may differ from what was measured on a build of the same
/// sizes and be taken for damage: a field that really moved has pushed others away.
const MOST_DAMAGED: usize = 2;

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

    /// Tries `_PyRuntime` at `addr`: first what the version confirms that the interpreter itself
    /// states, then what merely fits, because debug offsets may be damaged as well.
    pub(super) fn at_runtime(&self, addr: Addr, source: &str) -> Result<Found, PythonError> {
        let offsets = DebugOffsets::read(&*self.target.memory, addr)
            .map_err(|fault| PythonError::NotFound(fault.to_string()))?;
        let stated = match offsets.map(|offsets| self.with_offsets(addr, source, &offsets)) {
            Some(Ok((found, verdict))) if verdict.confirms(&found.layout) => return Ok(found),
            other => other,
        };
        let confirmed = |layout: &Layout, verdict: Verdict| verdict.confirms(layout);
        if let Some(found) = self.with_tables(addr, source, &confirmed) {
            if stated.is_some() {
                self.notes.partial(format!(
                    "the debug offsets at {addr} do not fit the process; the built-in table of \
                     CPython {} does",
                    found.layout.measured
                ));
            }
            return Ok(found);
        }
        match stated {
            Some(Ok((found, _))) => return Ok(found),
            Some(Err(unsupported @ PythonError::Unsupported { .. })) => return Err(unsupported),
            _ => {}
        }
        let fits = |layout: &Layout, verdict: Verdict| self.accepts(layout, verdict);
        let fitting = self.with_tables(addr, source, &fits);
        fitting.ok_or_else(|| PythonError::NotFound("no known layout fits what is there".into()))
    }

    /// Whether an interpreter that a symbol leads to fits, given what hints at the version.
    fn accepts(&self, layout: &Layout, verdict: Verdict) -> bool {
        let hinted = self.hint.is_some_and(|hint| hint.version == layout.version);
        verdict.fits(layout) || hinted && verdict.may_fit(layout)
    }

    /// `_PyRuntime` at `addr` under the first table that is accepted.
    fn with_tables(
        &self,
        addr: Addr,
        source: &str,
        accepts: &dyn Fn(&Layout, Verdict) -> bool,
    ) -> Option<Found> {
        self.tables()
            .find_map(|layout| self.with_accepted(addr, source, layout, accepts))
    }

    /// Tries `_PyRuntime` at `addr` under one layout.
    pub(super) fn with_layout(&self, addr: Addr, source: &str, layout: &Layout) -> Option<Found> {
        let fits = |layout: &Layout, verdict: Verdict| self.accepts(layout, verdict);
        self.with_accepted(addr, source, layout, &fits)
    }

    fn with_accepted(
        &self,
        addr: Addr,
        source: &str,
        layout: &Layout,
        accepts: &dyn Fn(&Layout, Verdict) -> bool,
    ) -> Option<Found> {
        let fields = layout.fields.runtime.as_ref()?;
        // The list's head may be damaged where the main interpreter is not.
        [fields.interpreters_head, fields.interpreters_main]
            .into_iter()
            .find_map(|field| {
                let head = self.target.memory.ptr(field.of(addr)).ok()?;
                let verdict = self.look(layout, head);
                accepts(layout, verdict)
                    .then(|| self.found(Some(addr), source, layout.clone(), head, verdict))
            })
    }

    /// Takes the layout that the process states itself.
    fn with_offsets(
        &self,
        addr: Addr,
        source: &str,
        offsets: &DebugOffsets,
    ) -> Result<(Found, Verdict), PythonError> {
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
        let mut stated = table.clone();
        let differing = offsets.apply(&mut stated);
        let known = measured.is_some() && !differing.is_empty();
        let as_measured = known && differing.len() <= MOST_DAMAGED;
        let as_measured = as_measured.then(|| self.listed_by(addr, source, table.clone()));
        let (mut found, verdict) = match as_measured.flatten() {
            Some((found, verdict)) if verdict.confirms(&found.layout) => {
                self.notes.partial(format!(
                    "_Py_DebugOffsets is damaged, for only this differs from what was measured on \
                     {}: {}",
                    found.layout.measured,
                    differing.join(", ")
                ));
                (found, verdict)
            }
            _ => {
                if known {
                    self.notes.info(format!(
                        "_Py_DebugOffsets differs from what was measured on {}: {}",
                        stated.measured,
                        differing.join(", ")
                    ));
                }
                self.listed_by(addr, source, stated).ok_or_else(|| {
                    let why = "nothing that it lists looks like an interpreter".to_owned();
                    PythonError::NotFound(why)
                })?
            }
        };
        found.version = Version {
            free_threaded: offsets.free_threaded,
            debug: verdict.debug,
            ..version
        };
        Ok((found, verdict))
    }

    /// The first interpreter that `_PyRuntime` at `addr` lists, if one looks right under a layout.
    fn listed_by(&self, addr: Addr, source: &str, layout: Layout) -> Option<(Found, Verdict)> {
        let fields = layout.fields.runtime.as_ref();
        let lists = fields.map(|runtime| [runtime.interpreters_head, runtime.interpreters_main]);
        let lists = lists.into_iter().flatten();
        let listed = lists.filter_map(|field| self.target.memory.ptr(field.of(addr)).ok());
        let embedded = fields.and_then(|runtime| Some(runtime.main_interpreter?.of(addr)));
        // The list's head may be damaged where the main interpreter is not.
        let looks_right = listed.chain(embedded).find_map(|head| {
            let verdict = self.look(&layout, head);
            (verdict.threads || verdict.namespaces).then_some((head, verdict))
        });
        let (head, verdict) = looks_right?;
        let found = self.found(Some(addr), source, layout, head, verdict);
        Some((found, verdict))
    }
}
