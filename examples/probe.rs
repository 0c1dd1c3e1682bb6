use pydbg::native::Process;
use pydbg::target::{Options, core, live};
use std::sync::Arc;
use std::time::Instant;
fn main() {
    let arg = std::env::args().nth(1).unwrap();
    let quiet = std::env::args().any(|a| a == "-q");
    let t0 = Instant::now();
    let target = match arg.parse::<i32>() {
        Ok(pid) => live::attach(pid, &Options::default()),
        Err(_) => core::open(arg.as_ref(), &Options::default()),
    };
    let target = Arc::new(target.unwrap());
    let t1 = Instant::now();
    let p = Process::new(target.clone());
    let t2 = Instant::now();
    let n = p.threads().len();
    let mut frames = 0;
    for i in 1..=n {
        frames += p.stack(i).unwrap().frames.len();
    }
    let t3 = Instant::now();
    if !quiet {
        for t in p.threads() {
            println!(
                "\nThread {} (LWP {}) {:?} {:?}:",
                t.id,
                t.tid,
                t.os_name,
                t.syscall.as_ref().map(|s| &s.summary)
            );
            let s = p.stack(t.id).unwrap();
            for (i, f) in s.frames.iter().enumerate() {
                if f.signal_trampoline {
                    println!("#{i:<2} <signal handler called>");
                }
                for l in p.symbolize(f) {
                    println!(
                        "#{i:<2} {:#018x} {} {} ({:?}:{:?}) {:?}{} sp={} {}",
                        f.pc.addr().0,
                        l.function.as_deref().unwrap_or("??"),
                        l.offset.map(|o| format!("+{o}")).unwrap_or_default(),
                        l.file,
                        l.line,
                        f.trust,
                        if l.inlined { " [inlined]" } else { "" },
                        f.sp,
                        l.module.as_deref().unwrap_or("")
                    );
                }
            }
            println!("   end: {:?}", s.end);
        }
    }
    let t4 = Instant::now();
    eprintln!(
        "open {:?} images {:?} ({}) unwind {:?} ({frames} frames, {n} threads) print {:?}",
        t1 - t0,
        t2 - t1,
        p.images.all.len(),
        t3 - t2,
        t4 - t3
    );
    for note in target.notes.all() {
        eprintln!("note {:?}: {}", note.severity, note.text);
    }
}
