//! Finding a caller without call frame information. None of these ways is sure, so each frame
//! found here is marked ([`Trust::FramePointer`], [`Trust::Scan`]). A word counts as a return
//! address only if it points at executable code, behind a call instruction where the code can be
//! read.

use super::Trust;
use super::step::Stack;
use super::x86_64::{self, FRAME_POINTER, RETURN_ADDRESS, STACK_POINTER};
use crate::addr::{Addr, Pc};
use crate::image::Images;
use crate::target::{Registers, Target};

/// How many words of the stack are looked at for a return address.
const MOST_SCANNED: u64 = 4096;
/// Functions at the outer end of a stack. glibc before 2.34 has no call frame information that
/// says so for threads.
const OUTERMOST: [&str; 6] = [
    "_start",
    "clone",
    "__clone",
    "clone3",
    "__clone3",
    "_dl_start_user",
];
/// The entry of the auxiliary vector with the main executable's entry point.
const AT_ENTRY: u64 = 9;
/// Bytes of glibc's `_start`, which is 34 to 38 bytes long.
const START_SIZE: u64 = 38;

/// What the fallbacks need to know of the process.
pub(super) struct Surroundings<'a> {
    pub(super) target: &'a Target,
    pub(super) images: &'a Images,
}

/// A caller that was found.
pub(super) struct Caller {
    pub(super) cfa: Addr,
    pub(super) registers: Registers,
    pub(super) trust: Trust,
}

impl Surroundings<'_> {
    /// Whether code lies at `addr`.
    pub(super) fn is_code(&self, addr: Addr) -> bool {
        // gcore leaves code out, and with it what says that it is executable; the program headers
        // of the image tell as well.
        self.target.mapping(addr).is_some_and(|mapping| {
            mapping.execute
                || self
                    .images
                    .at(addr)
                    .is_some_and(|image| image.is_code(addr))
        })
    }

    fn is_return_address(&self, addr: Addr) -> bool {
        if !self.is_code(addr.sub(1)) {
            return false;
        }
        let len = x86_64::LONGEST_CALL as u64;
        match self
            .target
            .memory
            .array::<{ x86_64::LONGEST_CALL }>(addr.sub(len))
        {
            // The kernel makes a signal handler return to the trampoline, which nothing calls.
            Ok(before) => x86_64::ends_with_call(&before) || self.is_sigreturn(addr),
            Err(_) => true,
        }
    }

    /// Whether `pc` is a signal trampoline, by its instructions.
    pub(super) fn is_sigreturn(&self, pc: Addr) -> bool {
        let code = self.target.memory.array::<{ x86_64::SIGRETURN.len() }>(pc);
        code.is_ok_and(|code| code == x86_64::SIGRETURN)
    }

    /// Whether `pc` is in a function that has no caller.
    pub(super) fn is_outermost(&self, pc: Pc) -> bool {
        // `_start` of the main executable, also where its file is not at hand.
        let entry = self.target.aux(AT_ENTRY).map(Addr);
        let offset = entry.and_then(|entry| pc.lookup().since(entry));
        if offset.is_some_and(|offset| offset < START_SIZE) {
            return true;
        }
        let symbol = self
            .images
            .at(pc.lookup())
            .and_then(|image| image.symbol_at(pc.lookup()));
        symbol.is_some_and(|symbol| OUTERMOST.contains(&symbol.name.as_str()))
    }

    /// The caller of the code at `pc`, by the best way that works.
    pub(super) fn caller(
        &self,
        pc: Pc,
        registers: &Registers,
        stack: &mut Stack<'_>,
    ) -> Option<Caller> {
        self.by_top_of_stack(pc, registers, stack)
            .or_else(|| self.by_frame_pointer(registers, stack))
            .or_else(|| self.by_scan(registers, stack))
    }

    /// Where nothing can have been pushed since the call: a call of NULL or of garbage, the first
    /// instruction of a function, a stub of the procedure linkage table (which pushes two words).
    fn by_top_of_stack(
        &self,
        pc: Pc,
        registers: &Registers,
        stack: &mut Stack<'_>,
    ) -> Option<Caller> {
        let Pc::Exact(addr) = pc else {
            return None;
        };
        let image = self.images.at(addr);
        let at_start = || {
            let symbol = image.and_then(|image| Some((image, image.symbol_at(addr)?)));
            symbol.is_some_and(|(image, symbol)| image.addr(symbol.start) == addr)
        };
        let most_pushed = match image {
            Some(image) if image.is_plt(addr) => 2,
            _ if !self.is_code(addr) || at_start() => 0,
            _ => return None,
        };
        let sp = registers.sp()?;
        (0..=most_pushed).find_map(|pushed| {
            let slot = sp.add(pushed * 8);
            let word = stack.word(slot).ok()?;
            self.is_return_address(Addr(word)).then_some(())?;
            // The code there has not run, so all other registers are still the caller's.
            Some(caller(slot, word, *registers, Trust::Scan))
        })
    }

    /// The chain of `push %rbp; mov %rsp, %rbp`.
    fn by_frame_pointer(&self, registers: &Registers, stack: &mut Stack<'_>) -> Option<Caller> {
        let (sp, fp) = (registers.sp()?, registers.fp()?);
        if fp < sp || !fp.0.is_multiple_of(8) || !self.same_stack(sp, fp) {
            return None;
        }
        let saved = stack.word(fp).ok()?;
        let slot = fp.add(8);
        let word = stack.word(slot).ok()?;
        self.is_return_address(Addr(word)).then_some(())?;
        let mut known = only_thread(registers);
        known.general[FRAME_POINTER] = Some(saved);
        Some(caller(slot, word, known, Trust::FramePointer))
    }

    /// The first word on the stack that looks like a return address.
    fn by_scan(&self, registers: &Registers, stack: &mut Stack<'_>) -> Option<Caller> {
        let sp = registers.sp()?;
        let start = Addr(sp.0.checked_next_multiple_of(8)?);
        for index in 0..MOST_SCANNED {
            let slot = start.add(index * 8);
            let word = stack.word(slot).ok()?;
            if !self.is_return_address(Addr(word)) {
                continue;
            }
            let mut known = only_thread(registers);
            // A word below it that points further up the stack is probably a saved frame pointer;
            // otherwise the frame pointer may not have been touched.
            let below = (index > 0).then(|| stack.word(slot.sub(8)).ok()).flatten();
            let plausible = |fp: &u64| {
                Addr(*fp) > slot && fp.is_multiple_of(8) && self.same_stack(slot, Addr(*fp))
            };
            known.general[FRAME_POINTER] = below
                .filter(plausible)
                .or(registers.general[FRAME_POINTER].filter(plausible));
            return Some(caller(slot, word, known, Trust::Scan));
        }
        None
    }

    fn same_stack(&self, one: Addr, other: Addr) -> bool {
        let mapping = self.target.mapping(one);
        mapping.is_some_and(|mapping| mapping.contains(other))
    }
}

/// The caller whose return address `word` is at `slot`.
fn caller(slot: Addr, word: u64, mut registers: Registers, trust: Trust) -> Caller {
    let cfa = slot.add(8);
    registers.general[RETURN_ADDRESS] = Some(word);
    registers.general[STACK_POINTER] = Some(cfa.0);
    registers.syscall = None;
    registers.flags = None;
    Caller {
        cfa,
        registers,
        trust,
    }
}

fn only_thread(registers: &Registers) -> Registers {
    Registers {
        thread_pointer: registers.thread_pointer,
        ..Registers::default()
    }
}
