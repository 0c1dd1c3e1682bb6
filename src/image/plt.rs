//! Names for the procedure linkage table, whose stubs have no symbols: `poll@plt`, as gdb and
//! objdump call them. A stub jumps through a slot of the GOT (x86-64 psABI, 5.2), and the
//! relocation of that slot names the function.

use super::bytes::{ElfBytes, Section};
use super::elf;
use super::symbols::Symbol;
use crate::addr::Svma;
use crate::bytes;

/// The sections with stubs: lazy ones, those of `-z now`, those after an `endbr64`.
const SECTIONS: [&str; 3] = [".plt", ".plt.got", ".plt.sec"];

/// The size of a stub: 16 bytes, or 8 in `.plt.got` without CET, where a jump is followed by a
/// two-byte no-op.
fn stub_size(section: &Section) -> u64 {
    let short = section.starts_with(&[0xff, 0x25]) && section.get(6..8) == Some(&[0x66, 0x90]);
    if short { 8 } else { 16 }
}

/// Whether the stated address lies in a procedure linkage table.
pub(super) fn contains(file: &ElfBytes, svma: Svma) -> bool {
    SECTIONS
        .iter()
        .filter_map(|name| elf::section(file, name))
        .any(|section| section.contains(svma.0))
}

/// The stub that holds the stated address, with the name of the function it calls.
pub(super) fn symbol_at(file: &ElfBytes, svma: Svma) -> Option<Symbol> {
    let section = SECTIONS
        .iter()
        .filter_map(|name| elf::section(file, name))
        .find(|section| section.contains(svma.0))?;
    let size = stub_size(&section);
    let offset = (svma.0 - section.svma) / size * size;
    let stub = section.get(offset as usize..)?;
    let start = section.svma.wrapping_add(offset);
    let slot = jump_slot(stub.get(..size as usize)?, start)?;
    let name = slot_name(file, slot)?;
    Some(Symbol {
        name: format!("{name}@plt"),
        start: Svma(start),
        size,
    })
}

/// The GOT slot that the stub jumps through: `jmp *disp32(%rip)` is ff 25, perhaps after an
/// `endbr64` or a `bnd` prefix.
fn jump_slot(stub: &[u8], start: u64) -> Option<u64> {
    let at = stub.windows(2).position(|pair| pair == [0xff, 0x25])?;
    let displacement = bytes::i32_at(stub, at + 2)?;
    let next = start.wrapping_add(at as u64).wrapping_add(6);
    Some(next.wrapping_add_signed(i64::from(displacement)))
}

/// The name in the relocation of the GOT slot: that of its symbol, or for functions that choose
/// their code at run time (R_X86_64_IRELATIVE) the address of the chooser, as gdb shows it.
fn slot_name(file: &ElfBytes, slot: u64) -> Option<String> {
    let (symbol, addend) = [".rela.plt", ".rela.dyn"]
        .iter()
        .filter_map(|name| elf::section(file, name))
        .find_map(|relocations| relocation(&relocations, slot))?;
    if symbol == 0 {
        return Some(format!("*ABS*+{addend:#x}"));
    }
    let symbols = elf::section(file, ".dynsym")?;
    let strings = elf::section(file, ".dynstr")?;
    let name_at = bytes::u32_at(&symbols, (symbol as usize).checked_mul(24)?)?;
    let name = bytes::cstr_at(&strings, name_at as usize)?;
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

/// The symbol number and addend of the `Elf64_Rela` (offset, info, addend) for `slot`.
fn relocation(relocations: &Section, slot: u64) -> Option<(u32, u64)> {
    let (entries, _) = relocations.as_chunks::<24>();
    let entry = entries
        .iter()
        .find(|entry| bytes::u64_at(*entry, 0) == Some(slot))?;
    Some((bytes::u32_at(entry, 12)?, bytes::u64_at(entry, 16)?))
}
