//! Images of this very process, whose addresses the test can ask the dynamic linker for; images
//! without names, files mapped as data, and separate debug files.

use super::{ElfBytes, Images, elf};
use crate::addr::Addr;
use crate::target::synth::TargetBuilder;
use crate::target::{Fault, Memory, Options, Target, Why};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const AT_PHDR: u64 = 3;

/// The memory of this process.
struct Own(File);

impl Memory for Own {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let read = self.0.read_exact_at(buf, addr.0);
        read.map_err(|_| Fault {
            addr,
            why: Why::Unmapped,
        })
    }
}

/// This process as a target; with the paths of its mappings or without.
fn this_process(paths: bool) -> Target {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut builder = TargetBuilder::new();
    for line in maps.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (start, end) = fields[0].split_once('-').unwrap();
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let path = fields.get(5).copied().filter(|_| paths).unwrap_or("");
        builder = builder.mapping(hex(start), hex(end), fields[1], path, hex(fields[2]));
    }
    let auxv = std::fs::read("/proc/self/auxv").unwrap();
    let (pairs, _) = auxv.as_chunks::<16>();
    let word = |pair: &[u8; 16], at| crate::bytes::u64_at(pair, at).unwrap();
    let phdr = pairs.iter().find(|pair| word(pair, 0) == AT_PHDR).unwrap();
    let mut target = builder.aux(AT_PHDR, word(phdr, 8)).build();
    target.process.exe = std::env::current_exe()
        .ok()
        .map(|path| path.to_string_lossy().into_owned());
    target.memory = Arc::new(Own(File::open("/proc/self/mem").unwrap()));
    target
}

/// What the dynamic linker says.
fn address_of_malloc() -> Addr {
    Addr(libc::malloc as *const () as u64)
}

#[test]
fn this_process_is_found_with_its_files_and_symbols() {
    let images = Images::find(&this_process(true));
    let main = images.main().unwrap();
    let exe = std::env::current_exe().unwrap();
    assert_eq!(Path::new(&main.path), exe);
    assert_eq!(images.all.iter().filter(|image| image.main).count(), 1);
    let here = Addr(this_process_is_found_with_its_files_and_symbols as *const () as u64);
    assert_eq!(images.at(here).unwrap().path, main.path);
    assert!(main.is_code(here));
    let name = main.symbol_at(here).unwrap().name;
    assert!(name.contains("this_process_is_found"), "{name}");
    assert_eq!(main.named(&name).unwrap().0, here);

    let (image, malloc, size) = images.exported("malloc").unwrap();
    assert_eq!(malloc, address_of_malloc());
    assert!(image.name().starts_with("libc.so"), "{}", image.path);
    assert!(size > 0);
    assert_eq!(
        image.symbol_at(malloc.add(size - 1)).unwrap().name,
        "malloc"
    );
    assert!(image.build_id.is_some());
    assert_eq!(image.summary().problem, None);
    assert!(images.exported("no_such_function").is_none());
    assert!(image.named("no_such_function").is_none());
}

#[test]
fn files_mapped_as_data_are_no_images() {
    let path = std::fs::canonicalize("/proc/self/exe").unwrap();
    let libc = Images::find(&this_process(true));
    let libc = libc.exported("malloc").unwrap().0.path.clone();
    let before = Images::find(&this_process(true)).all.len();
    let maps: Vec<File> = [Path::new(&libc), &path]
        .map(|path| File::open(path).unwrap())
        .into();
    // SAFETY: nothing writes to these files while the test runs, and the bytes are not used.
    #[allow(unsafe_code)]
    let _kept: Vec<memmap2::Mmap> = maps
        .iter()
        .map(|file| unsafe { memmap2::Mmap::map(file) }.unwrap())
        .collect();
    assert_eq!(Images::find(&this_process(true)).all.len(), before);
}

#[test]
fn images_without_names_are_named_by_the_dynamic_linker() {
    let images = Images::find(&this_process(false));
    let libc = images.at(address_of_malloc()).unwrap();
    assert!(libc.name().starts_with("libc.so"), "{}", libc.path);
    assert_eq!(libc.exported("malloc").unwrap().0, address_of_malloc());
    let exe = std::env::current_exe().unwrap();
    assert_eq!(Path::new(&images.main().unwrap().path), exe);
}

#[test]
fn without_the_file_the_symbols_in_memory_are_used() {
    let mut target = this_process(true);
    // No file is to be found.
    for mapping in &mut target.mappings {
        if let Some(path) = &mut mapping.path {
            path.insert_str(0, "/nowhere");
        }
    }
    let images = Images::find(&target);
    let libc = images.at(address_of_malloc()).unwrap();
    assert!(libc.file().is_err());
    assert_eq!(libc.exported("malloc").unwrap().0, address_of_malloc());
    assert_eq!(libc.symbol_at(address_of_malloc()).unwrap().name, "malloc");
    // More than that where a debug file is installed: it is found by the build-id in memory.
    assert_ne!(libc.summary().symbols, "no");
    // Only what matters to an answer is noted.
    assert!(target.notes.is_empty());
    libc.note_problem();
    assert_eq!(target.notes.len(), 1);
}

/// Runs a tool.
fn run(dir: &Path, command: &str) {
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .status()
        .unwrap();
    assert!(status.success(), "this test needs {command}");
}

/// The symbols that pydbg finds for the program in `dir`, whose only mapping is its first page.
fn summary_of(dir: &Path, options: Options) -> super::ImageSummary {
    let path = dir.join("program");
    let file = std::fs::read(&path).unwrap();
    let path = path.to_str().unwrap();
    let start = 0x5555_0000_0000;
    let mut builder = TargetBuilder::new()
        .options(options)
        .memory(start, file[..4096].to_vec());
    for load in elf::file_segments(&file)
        .iter()
        .filter(|s| s.kind == elf::PT_LOAD)
    {
        let (low, high) = (
            load.vaddr & !0xfff,
            (load.vaddr + load.filesz).next_multiple_of(0x1000),
        );
        let perms = if load.flags & elf::PF_X != 0 {
            "r-x"
        } else {
            "r--"
        };
        let offset = load.offset & !0xfff;
        builder = builder.mapping(start + low, start + high, perms, path, offset);
    }
    let images = Images::find(&builder.build());
    assert_eq!(images.all.len(), 1);
    images.all[0].summary()
}

#[test]
fn separate_debug_files_are_found_by_build_id_and_by_debuglink() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("program.c"), "int main(void) { return 0; }\n").unwrap();
    run(dir, "cc -g -gz -Wl,--build-id=sha1 -o whole program.c");
    run(
        dir,
        "objcopy --only-keep-debug whole program.debug && strip -s -o stripped whole",
    );
    std::fs::copy(dir.join("stripped"), dir.join("program")).unwrap();
    let none = summary_of(dir, Options::default());
    assert_eq!((none.symbols, none.debug_info), ("dynamic only", false));

    // By build-id, under a folder that the user names.
    let (first, rest) = none.build_id.as_ref().unwrap().split_at(2);
    let folder = dir.join("debug/.build-id").join(first);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(
        dir.join("program.debug"),
        folder.join(format!("{rest}.debug")),
    )
    .unwrap();
    let options = Options {
        debug_dirs: vec![dir.join("debug")],
        ..Options::default()
    };
    let found = summary_of(dir, options.clone());
    assert_eq!((found.symbols, found.debug_info), ("yes", true));

    // By name, beside the program and in .debug; only with the right checksum.
    run(
        dir,
        "objcopy --add-gnu-debuglink=program.debug stripped program",
    );
    let linked = summary_of(dir, Options::default());
    assert_eq!((linked.symbols, linked.debug_info), ("yes", true));
    std::fs::create_dir(dir.join(".debug")).unwrap();
    std::fs::rename(dir.join("program.debug"), dir.join(".debug/program.debug")).unwrap();
    assert!(summary_of(dir, Options::default()).debug_info);
    let mut damaged = std::fs::read(dir.join(".debug/program.debug")).unwrap();
    damaged.push(0);
    std::fs::write(dir.join(".debug/program.debug"), damaged).unwrap();
    assert!(!summary_of(dir, Options::default()).debug_info);
}

#[test]
fn sections_of_other_bytes_are_empty() {
    let bytes = ElfBytes::Owned(Arc::new(vec![1, 2, 3]));
    let section = super::Section::new(0, bytes, 2..10);
    assert!(section.is_empty());
    assert!(!section.contains(0));
}
