//! MiniDebugInfo: the `.symtab` of a stripped file, packed by xz into its section
//! `.gnu_debugdata`. Fedora, RHEL and their kin have it in every program and library.
//!
//! Mirrors the gdb manual, "Debugging information in a special section", and gdb/minidebug.c.

use super::bytes::ElfBytes;
use super::elf;
use lzma_rust2::XzReader;
use std::io::Read;
use std::sync::Arc;

/// The most that is unpacked: Fedora's largest (libLLVM) is a tenth of it.
const MOST: u64 = 64 << 20;
/// The most memory for the xz dictionary, in KiB; `xz` by itself takes 8 MiB.
const MEMORY: u32 = 64 << 10;

/// The ELF file inside `file`, which has symbols and no code.
pub(super) fn find(file: &ElfBytes) -> Option<ElfBytes> {
    let packed = elf::section(file, ".gnu_debugdata")?;
    let mut unpacked = Vec::new();
    let reader = XzReader::new_mem_limit(&*packed, false, MEMORY);
    reader.take(MOST).read_to_end(&mut unpacked).ok()?;
    elf::header(&unpacked)?;
    Some(ElfBytes::Owned(Arc::new(unpacked)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::symbols::SymbolTable;
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;

    fn run(folder: &Path, command: &str) {
        let status = Command::new("sh")
            .args(["-ec", command])
            .current_dir(folder)
            .status();
        assert!(
            status.unwrap().success(),
            "{command} (gcc and binutils are needed)"
        );
    }

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let options = lzma_rust2::XzOptions::with_preset(0);
        let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn read(path: &Path) -> ElfBytes {
        ElfBytes::Owned(Arc::new(std::fs::read(path).unwrap()))
    }

    /// A stripped library with `data` as MiniDebugInfo, made as the gdb manual says.
    fn with(folder: &Path, data: &[u8]) -> ElfBytes {
        std::fs::write(folder.join("data.xz"), data).unwrap();
        run(
            folder,
            "objcopy --add-section .gnu_debugdata=data.xz stripped.so mini.so",
        );
        read(&folder.join("mini.so"))
    }

    #[test]
    fn symbols_in_the_section_are_found_and_nonsense_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let code = "static int __attribute__((noinline)) hidden(int x) { return x * 3; }\n\
                    int shown(int x) { return hidden(x) + 1; }\n";
        std::fs::write(at("lib.c"), code).unwrap();
        run(
            folder.path(),
            "gcc -g -O1 -fPIC -shared -o lib.so lib.c
             objcopy --only-keep-debug lib.so debug
             objcopy -S --keep-symbol=hidden debug small
             strip --strip-all -o stripped.so lib.so",
        );
        let small = std::fs::read(at("small")).unwrap();
        let packed = pack(&small);
        let file = with(folder.path(), &packed);
        let inner = find(&file).unwrap();
        assert_eq!(*inner, *small);
        let table = SymbolTable::new([&inner].into_iter(), None);
        let hidden = table.named("hidden").unwrap();
        let whole = SymbolTable::new([&read(&at("lib.so"))].into_iter(), None);
        assert_eq!(Some(hidden), whole.named("hidden"));

        assert!(find(&read(&at("stripped.so"))).is_none());
        assert!(find(&with(folder.path(), &packed[..packed.len() / 2])).is_none());
        assert!(find(&with(folder.path(), b"\xfd7zXZ\0nonsense")).is_none());
        assert!(find(&with(folder.path(), &pack(b"no ELF file"))).is_none());
        // What is larger than it may be is cut, and zeros are no ELF file.
        let bomb = pack(&vec![0; MOST as usize + 1]);
        assert!(find(&with(folder.path(), &bomb)).is_none());
    }
}
