//! A core whose program is gone, with elfutils' own server: names, lines and code come from there,
//! into the cache that elfutils' own client reads.

use pydbg::Pc;
use pydbg::diag::Severity;
use pydbg::native::{Location, Process};
use pydbg::target::debuginfod::Servers;
use pydbg::target::{Options, core};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRAM: &str = "\
#include <stdlib.h>
static int inner(int depth) { if (depth) return inner(depth - 1) + 1; abort(); }
static int middle(int depth) { return inner(depth) + 1; }
int main(void) { return middle(3); }
";

/// Runs a shell script in `folder`.
fn sh(folder: &Path, script: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("sh");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The server, until it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Serves the ELF files in `folder`, once they are indexed.
    fn start(folder: &Path, build_id: &str) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = port.expect("a port").port();
        let child = Command::new("debuginfod")
            .args(["-d", ":memory:", "-p", &port.to_string(), "-F"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("debuginfod is not installed: apt-get install debuginfod");
        let server = Server {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        let start = Instant::now();
        while !server.has(port, build_id) {
            assert!(start.elapsed() < Duration::from_secs(60), "not indexed");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    fn has(&self, port: u16, build_id: &str) -> bool {
        use std::io::{Read, Write};
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
            return false;
        };
        let kinds = ["executable", "debuginfo"];
        let ask = |stream: &mut TcpStream, kind: &str| {
            let path = format!("/buildid/{build_id}/{kind}");
            write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("a request");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200")
        };
        kinds.iter().all(|kind| {
            let again = TcpStream::connect(("127.0.0.1", port));
            again.is_ok_and(|again| {
                stream = again;
                ask(&mut stream, kind)
            })
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The core of a program that is gone, and its files where a server finds them.
struct Case {
    folder: tempfile::TempDir,
    core: PathBuf,
    build_id: String,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("prog.c"), PROGRAM).expect("a file");
        sh(
            folder.path(),
            "gcc -g -O0 -Wl,--build-id -o whole prog.c && mkdir server run \
             && objcopy --only-keep-debug whole server/prog.debug && strip -o server/prog whole \
             && cp server/prog run/prog && cd run && ulimit -c unlimited; ./prog; \
             mv core* ../core; rm prog ../whole",
        );
        let core = at("core");
        assert!(
            core.exists(),
            "no core: is core_pattern \"core\", and are gcc and binutils here?"
        );
        let notes = sh(folder.path(), "readelf -n server/prog");
        let id = notes.split("Build ID: ").nth(1).expect("a build-id");
        let build_id = id.split_whitespace().next().unwrap_or_default().to_owned();
        Case {
            folder,
            core,
            build_id,
        }
    }

    fn process(&self, urls: &[&str]) -> Process {
        let options = Options {
            debuginfod: Servers {
                urls: urls.iter().map(|url| (*url).to_owned()).collect(),
                cache: Some(self.folder.path().join("cache")),
                ..Servers::default()
            },
            ..Options::default()
        };
        let target = core::open(&self.core, &options).expect("a core");
        Process::new(Arc::new(target))
    }

    /// The frames that lie in the program, with what the code is called.
    fn frames(&self, process: &Process) -> Vec<(Pc, Location)> {
        let stack = process.stack(1).expect("a thread");
        let own = |location: &Location| {
            let module = location.module.as_deref();
            module.is_some_and(|module| module.ends_with("/run/prog"))
        };
        let frames = stack.frames.iter().map(|frame| {
            let mut locations = process.symbolize(frame);
            (frame.pc, locations.pop().expect("a location"))
        });
        frames.filter(|(_, location)| own(location)).collect()
    }
}

fn told(process: &Process) -> String {
    let notes = process.target.notes.all();
    notes.iter().map(|note| note.text.clone() + "\n").collect()
}

#[test]
fn names_lines_and_code_come_from_the_server() {
    let case = Case::new();
    let server = Server::start(&case.folder.path().join("server"), &case.build_id);

    let without = case.process(&[]);
    let names = |frames: &[(Pc, Location)]| -> Vec<Option<String>> {
        frames.iter().map(|(_, l)| l.function.clone()).collect()
    };
    assert!(
        names(&case.frames(&without))
            .iter()
            .all(|name| name.as_deref() != Some("inner"))
    );
    let cache = case.folder.path().join("cache");
    assert!(!cache.exists(), "something was asked for");

    let with = case.process(&[&server.url]);
    let frames = case.frames(&with);
    let found: Vec<(&str, u32)> = frames
        .iter()
        .map(|(_, l)| (l.function.as_deref().unwrap_or("?"), l.line.unwrap_or(0)))
        .filter(|(name, _)| !name.starts_with('_'))
        .collect();
    let inner = ("inner", 2);
    let expected = [inner, inner, inner, inner, ("middle", 3), ("main", 4)];
    assert_eq!(found, expected, "{}", told(&with));
    let code = with.target.memory.bytes(frames[0].0.lookup(), 5);
    assert!(code.is_ok(), "the code is not spliced in");
    let notes = told(&with);
    assert!(notes.contains("fetched the executable of "), "{notes}");
    assert!(notes.contains("fetched the debuginfo of "), "{notes}");

    // Whatever elfutils makes, its client finds what was fetched without the server.
    drop(server);
    for kind in ["executable", "debuginfo"] {
        assert!(cache.join(&case.build_id).join(kind).exists());
        let find = format!(
            "DEBUGINFOD_URLS=http://127.0.0.1:9 DEBUGINFOD_CACHE_PATH={} debuginfod-find {kind} {}",
            cache.display(),
            case.build_id
        );
        let path = sh(case.folder.path(), &find);
        assert!(path.trim().ends_with(kind), "debuginfod-find: {path:?}");
    }
    // So does pydbg; the server that is gone is mentioned for other files only.
    let offline = case.process(&["http://127.0.0.1:9"]);
    assert_eq!(names(&case.frames(&offline)), names(&frames));
    let notes = offline.target.notes.all();
    let dead = notes
        .iter()
        .filter(|note| note.text.contains("is not asked again"));
    let dead: Vec<Severity> = dead.map(|note| note.severity).collect();
    assert!(dead.len() <= 1, "{notes:?}");
}
