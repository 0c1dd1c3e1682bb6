//! 2.7 and 3.6, which have no `_PyRuntime`: by the static variables that they have instead.

use super::*;
use crate::bytes;

impl Search<'_> {
    /// 2.7 and 3.6: by the static head of the list, the function that returns it, or the thread
    /// state that runs.
    pub(super) fn by_statics(&self) -> Option<Found> {
        let memory = &*self.target.memory;
        for layout in self.tables().filter(|table| table.fields.runtime.is_none()) {
            let head = || {
                let (addr, image) = symbol(self.process, "interp_head")?;
                Some((
                    memory.ptr(addr).ok()?,
                    format!("symbol interp_head of {image}"),
                ))
            };
            let function = || {
                let (addr, image) = symbol(self.process, "PyInterpreterState_Head")?;
                let word = loaded_word(&memory.array(addr).ok()?, addr)?;
                let source = format!("what PyInterpreterState_Head of {image} returns");
                Some((memory.ptr(word).ok()?, source))
            };
            let current = || {
                let (addr, image) = symbol(self.process, "_PyThreadState_Current")?;
                let thread = memory.ptr(addr).ok()?;
                let interpreter = memory.ptr(layout.fields.thread.interp.of(thread)).ok()?;
                Some((
                    interpreter,
                    format!("symbol _PyThreadState_Current of {image}"),
                ))
            };
            let places: [&dyn Fn() -> Option<(Addr, String)>; 3] = [&head, &function, &current];
            for (head, source) in places.iter().filter_map(|place| place()) {
                let verdict = self.look(layout, head);
                if verdict.fits(layout) {
                    return Some(self.found(None, &source, layout.clone(), head, verdict));
                }
            }
        }
        None
    }
}

/// The word that a function loads and returns: `mov rax, [rip + disp32]` after an optional
/// `endbr64`. Both 2.7 and 3.6 compile `PyInterpreterState_Head` to that.
fn loaded_word(code: &[u8; 16], addr: Addr) -> Option<Addr> {
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    let skip = if code.starts_with(&ENDBR64) { 4 } else { 0 };
    let instruction = code.get(skip..)?;
    let displacement = bytes::i32_at(instruction, 3)?;
    instruction.starts_with(&[0x48, 0x8b, 0x05]).then(|| {
        addr.add(skip as u64 + 7)
            .add(i64::from(displacement) as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_a_getter_loads_is_found() {
        let mut code = [0x90; 16];
        code[..7].copy_from_slice(&[0x48, 0x8b, 0x05, 0x10, 0, 0, 0]);
        assert_eq!(loaded_word(&code, Addr(0x1000)), Some(Addr(0x1017)));
        let mut code = [0x90; 16];
        code[..11].copy_from_slice(&[
            0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x05, 0xf0, 255, 255, 255,
        ]);
        assert_eq!(loaded_word(&code, Addr(0x1000)), Some(Addr(0xffb)));
        assert_eq!(loaded_word(&[0x90; 16], Addr(0x1000)), None);
    }
}
