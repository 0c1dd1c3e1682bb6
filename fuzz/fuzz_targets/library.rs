//! An ELF file of any bytes, mapped, with a thread that stands in it: symbols, unwind tables,
//! lines. The last 4 KiB of the input are the thread's stack.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pydbg::Addr;
use pydbg::dwarf::Lines;
use pydbg::native::Process;
use pydbg::target::synth::TargetBuilder;
use std::sync::Arc;

const BASE: u64 = 0x7f00_0000_0000;
const STACK: u64 = 0x7ffe_0000_0000;

fuzz_target!(|data: &[u8]| {
    let (file, stack) = data.split_at(data.len().saturating_sub(4096));
    let path = std::env::temp_dir().join(format!("pydbg-fuzz-{}.so", std::process::id()));
    let Some(name) = path.to_str() else { return };
    if std::fs::write(&path, file).is_err() {
        return;
    }
    let end = BASE + (file.len() as u64 + 1).next_multiple_of(4096);
    let pc = BASE + 0x1010;
    let target = TargetBuilder::new()
        .mapping(BASE, end, "r-x", name, 0)
        .memory(BASE, file.to_vec())
        .memory(STACK, stack.to_vec())
        .thread(1, &[(6, STACK + 64), (7, STACK + 8), (16, pc)])
        .build();
    let process = Process::new(Arc::new(target));
    for image in &process.images.all {
        let _ = (image.symbol_at(Addr(pc)), image.named("f"), image.exported("f"));
        let _ = Lines::new(image).map(|lines| lines.frames(image.svma(Addr(pc))));
    }
    let _ = process.stack(1);
});
