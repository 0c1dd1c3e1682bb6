//! Without any symbol and any file: interpreters and thread states point at each other, and a
//! thread state knows the thread pointer of its thread. Alone, the pointers gave some sixty false
//! interpreters in a 3.11; with the thread pointer, none.

use super::*;

impl Search<'_> {
    /// Without any symbol: by pointers that come back.
    pub(super) fn by_pointers(&self) -> Option<Found> {
        for (name, regions) in self.regions.all() {
            for layout in self.tables() {
                let found = scan::interpreters(self.target, layout, regions, self.is_thread);
                let mut fitting = found.into_iter().filter_map(|interpreter| {
                    let verdict = self.look(layout, interpreter);
                    verdict.fits(layout).then_some((interpreter, verdict))
                });
                let Some(first) = fitting.next() else {
                    continue;
                };
                let all: Vec<_> = std::iter::once(first).chain(fitting).collect();
                let (head, verdict) = self.head_of(layout, &all)?;
                let runtime = self.runtime_of(layout, head, regions);
                let source = format!("pointers that come back, in {name}");
                return Some(self.found(runtime, &source, layout.clone(), head, verdict));
            }
        }
        None
    }

    /// The interpreter that no other one's `next` is: the head of the list.
    fn head_of(&self, layout: &Layout, all: &[(Addr, Verdict)]) -> Option<(Addr, Verdict)> {
        let next = |(addr, _): &(Addr, Verdict)| {
            self.target
                .memory
                .ptr(layout.fields.interpreter.next.of(*addr))
                .ok()
        };
        let nexts: Vec<Addr> = all.iter().filter_map(next).collect();
        let head = all.iter().find(|(addr, _)| !nexts.contains(addr));
        head.or_else(|| all.first()).copied()
    }

    /// Where `_PyRuntime` must be for `head` to be the head of its list.
    fn runtime_of(&self, layout: &Layout, head: Addr, regions: &[(Addr, Addr)]) -> Option<Addr> {
        let memory = &*self.target.memory;
        let fields = layout.fields.runtime?;
        let holders = scan::holders(memory, regions, head);
        holders.into_iter().find_map(|holder| {
            let runtime = holder.sub(fields.interpreters_head.offset.into());
            let main = memory.ptr(fields.interpreters_main.of(runtime)).ok()?;
            let auto = memory.ptr(fields.auto_interpreter.of(runtime)).ok()?;
            (main == auto && !main.is_null()).then_some(runtime)
        })
    }
}
