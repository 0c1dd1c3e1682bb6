//! Honest, slow, broken and hostile servers; `tests/it/debuginfod.rs` takes a real one.

use super::*;
use crate::diag::Severity;
use crate::target::Files;
use crate::target::synth_core::CoreBuilder;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

const ID: &[u8] = b"\x01\x23\x45\x67\x89";

/// A small ELF file with the build-id.
fn elf(build_id: &[u8]) -> Vec<u8> {
    let mut file = CoreBuilder::new().note("GNU", 3, build_id).build();
    file.resize(300_000, 7);
    file
}

/// An answer with these bytes.
fn found(body: &[u8]) -> Vec<u8> {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [answer.as_bytes(), body].concat()
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

/// A server on a port of its own, until it is dropped.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// `answer` gets the path and the connection.
    fn new(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(answer);
        let (heard, ends) = (asked.clone(), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let (answer, heard) = (answer.clone(), heard.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let request = lines.next().unwrap().unwrap();
                    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    lock(&heard).push(path.clone());
                    answer(&path, &mut stream);
                });
            }
        });
        Server { url, asked, over }
    }

    /// Always the same answer.
    fn saying(answer: Vec<u8>) -> Server {
        Server::new(move |_, stream| drop(stream.write_all(&answer)))
    }

    fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

/// A client with a cache of its own.
struct Setup {
    cache: tempfile::TempDir,
    options: Options,
    notes: Notes,
}

impl Setup {
    fn new(servers: &[&Server]) -> Setup {
        let cache = tempfile::tempdir().unwrap();
        let options = Options {
            debuginfod: Servers {
                urls: servers.iter().map(|server| server.url.clone()).collect(),
                cache: Some(cache.path().join("client")),
                // A server of a test may be held up by all that runs beside it.
                timeout: Duration::from_secs(10),
                ..Servers::default()
            },
            ..Options::default()
        };
        Setup {
            cache,
            options,
            notes: Notes::default(),
        }
    }

    fn client(&self) -> Client {
        Client::new(&self.options, self.notes.clone())
    }

    /// Asks anew, as another run of pydbg would.
    fn get(&self) -> Answer {
        let answer = self.client().get(Kind::Debuginfo, ID, "libx.so");
        answer.expect("servers are asked")
    }

    fn path(&self) -> PathBuf {
        self.cache.path().join("client/0123456789/debuginfo")
    }

    /// The names in the file's folder.
    fn names(&self) -> Vec<String> {
        let folder = self.path();
        let names = std::fs::read_dir(folder.parent().unwrap()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        names.map(name).collect()
    }

    fn told(&self) -> String {
        let notes = self.notes.all();
        notes.iter().map(|note| note.text.clone() + "\n").collect()
    }
}

#[test]
fn what_is_found_is_kept_and_not_asked_for_again() {
    let server = Server::saying(found(&elf(ID)));
    let setup = Setup::new(&[&server]);
    let file = setup.get().unwrap();
    assert_eq!(file.bytes(), elf(ID));
    assert_eq!(
        (file.path.clone(), file.place),
        (setup.path(), Place::Fetched)
    );
    assert_eq!(setup.get().unwrap().bytes(), elf(ID));
    assert_eq!(server.asked(), ["/buildid/0123456789/debuginfo"]);
    let told = setup.told();
    assert!(
        told.contains("fetched the debuginfo of libx.so from http://127"),
        "{told}"
    );
    assert_eq!(setup.names(), ["debuginfo"]);
}

#[test]
fn nobody_is_asked_unless_the_user_says_so() {
    let mut setup = Setup::new(&[]);
    assert!(setup.client().get(Kind::Debuginfo, ID, "x").is_none());
    let server = Server::saying(found(&elf(ID)));
    setup.options.debuginfod.urls = vec![server.url.clone()];
    setup.options.debuginfod.cache = None;
    assert!(setup.get().is_err());
    for id in [&b""[..], b"abc", &[1; 64]] {
        assert!(setup.client().get(Kind::Debuginfo, id, "x").is_none());
    }
    assert!(server.asked().is_empty());
}

#[test]
fn what_no_server_has_is_remembered() {
    let first = Server::saying(NOT_FOUND.to_vec());
    let second = Server::saying(NOT_FOUND.to_vec());
    let setup = Setup::new(&[&first, &second]);
    for _ in 0..3 {
        assert_eq!(setup.get().err().unwrap(), "do not have it");
    }
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    assert_eq!(std::fs::metadata(setup.path()).unwrap().len(), 0);
    assert!(setup.notes.is_empty());
}

#[test]
fn the_next_server_is_asked_and_a_dead_one_only_once() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead_url = format!("http://{}", dead.local_addr().unwrap());
    drop(dead);
    let alive = Server::saying(found(&elf(ID)));
    let mut setup = Setup::new(&[&alive]);
    setup.options.debuginfod.urls.insert(0, dead_url.clone());
    let client = setup.client();
    assert!(client.get(Kind::Debuginfo, ID, "libx.so").unwrap().is_ok());
    assert!(client.get(Kind::Executable, ID, "libx.so").unwrap().is_ok());
    assert_eq!(alive.asked().len(), 2);
    let told = setup.told();
    assert_eq!(told.matches("it is not asked again").count(), 1, "{told}");
    assert!(
        told.contains(&format!("{dead_url} does not answer")),
        "{told}"
    );
    // Another run is not told that nobody has it.
    setup.options.debuginfod.urls.truncate(1);
    let other = setup
        .client()
        .get(Kind::Debuginfo, b"\x77\x77\x77\x77", "liby.so");
    assert_eq!(other.unwrap().err().unwrap(), "do not all answer");
    assert!(
        !setup
            .cache
            .path()
            .join("client/77777777/debuginfo")
            .exists()
    );
}

#[test]
fn a_server_may_close_its_connection_after_each_answer() {
    let answer = found(&elf(ID));
    let server = Server::new(move |_, stream| {
        stream.write_all(&answer).unwrap();
        // The next request would be on its way before this one ends.
        std::thread::sleep(Duration::from_millis(100));
    });
    let client = Setup::new(&[&server]).client();
    for kind in [Kind::Debuginfo, Kind::Executable] {
        let file = client.get(kind, ID, "libx.so").unwrap();
        assert!(file.is_ok(), "{kind:?}: {file:?}");
    }
}

#[test]
fn what_is_wrong_is_neither_used_nor_kept() {
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 400_000);
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n186a0\r\n";
    let endless = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let sized = "HTTP/1.0 200 OK\r\nx-debuginfod-size: 400000\r\n\r\n";
    let part = &elf(ID)[..100_000];
    let answers: [(&str, Vec<u8>); 9] = [
        ("another build-id", found(&elf(b"other"))),
        ("no ELF file", found(b"<html>log in first</html>")),
        ("nothing", found(b"")),
        ("less than it says", [long.as_bytes(), &elf(ID)].concat()),
        ("a chunk of several", [chunk.as_bytes(), part].concat()),
        ("less than its size", [sized.as_bytes(), &elf(ID)].concat()),
        (
            "an error",
            b"HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n".to_vec(),
        ),
        ("redirections", endless.as_bytes().to_vec()),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()),
    ];
    for (name, answer) in answers {
        let server = Server::saying(answer);
        let setup = Setup::new(&[&server]);
        assert!(setup.get().is_err(), "{name}");
        assert!(setup.names().is_empty(), "{name}: {:?}", setup.names());
        let notes = setup.notes.all();
        assert_eq!(notes.len(), 1, "{name}: {notes:?}");
        assert_eq!(notes[0].severity, Severity::Partial, "{name}");
        assert!(notes[0].text.starts_with("http://127"), "{name}: {notes:?}");
    }
}

#[test]
fn a_damaged_file_in_the_cache_is_replaced() {
    let server = Server::saying(found(&elf(ID)));
    let setup = Setup::new(&[&server]);
    std::fs::create_dir_all(setup.path().parent().unwrap()).unwrap();
    std::fs::write(setup.path(), b"half a file").unwrap();
    assert_eq!(setup.get().unwrap().bytes(), elf(ID));
}

#[test]
fn size_is_limited_whatever_the_server_says() {
    let endless = |_: &str, stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[0; 64 << 10]).is_ok() {}
    };
    let said = Server::saying(found(&elf(ID)));
    let refused = Server::saying(b"HTTP/1.1 406 No\r\ncontent-length: 0\r\n\r\n".to_vec());
    for server in [said, refused, Server::new(endless)] {
        let mut setup = Setup::new(&[&server]);
        setup.options.debuginfod.max_size = 200_000;
        let why = setup.get().err().unwrap();
        assert!(why.contains("more than the 200 kB"), "{why}");
        assert!(setup.names().is_empty());
    }
}

/// A server that sends so many bytes ten times a second, and never ends.
fn dripping(bytes: usize) -> Server {
    Server::new(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        while stream.write_all(&vec![0; bytes]).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    })
}

#[test]
fn slow_servers_are_given_up() {
    let silent = Server::new(|_, _| std::thread::sleep(Duration::from_secs(20)));
    for server in [silent, dripping(10), dripping(0)] {
        let mut setup = Setup::new(&[&server]);
        setup.options.debuginfod.timeout = Duration::from_secs(1);
        let begun = Instant::now();
        assert_eq!(setup.get().err().unwrap(), "do not all answer");
        assert!(begun.elapsed() < Duration::from_secs(15));
        assert!(setup.told().contains("not asked again"), "{}", setup.told());
    }
    let steady = dripping(50_000);
    let mut setup = Setup::new(&[&steady]);
    setup.options.debuginfod.max_time = Some(Duration::from_secs(3));
    let begun = Instant::now();
    assert!(setup.get().is_err());
    assert!(begun.elapsed() > Duration::from_secs(2));
    assert!(
        setup.told().contains("took more than 3 s"),
        "{}",
        setup.told()
    );
}

#[test]
fn fetching_can_be_interrupted_and_done_later() {
    let hanging = dripping(1);
    let heard = Arc::new(AtomicBool::new(false));
    let mut setup = Setup::new(&[&hanging]);
    setup.options.debuginfod.timeout = Duration::from_secs(60);
    let (cancel, hear) = (setup.options.cancel.clone(), heard.clone());
    setup.options.progress = Progress::new(move |step| {
        assert_eq!(step.what, "fetching the debuginfo of libx.so");
        hear.store(true, Ordering::Relaxed);
        cancel.cancel();
    });
    let client = setup.client();
    let begun = Instant::now();
    assert!(client.get(Kind::Debuginfo, ID, "libx.so").unwrap().is_err());
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert!(heard.load(Ordering::Relaxed));
    assert!(setup.told().contains("was interrupted"), "{}", setup.told());
    // While Ctrl-C is not dealt with, nothing else is asked for; afterwards it is.
    assert!(
        client
            .get(Kind::Executable, ID, "libx.so")
            .unwrap()
            .is_err()
    );
    assert_eq!(hanging.asked().len(), 1);
    setup.options.cancel.reset();
    assert!(client.get(Kind::Debuginfo, ID, "libx.so").unwrap().is_err());
    assert_eq!(hanging.asked().len(), 2);
}

#[test]
fn threads_that_want_one_file_ask_once() {
    let server = Server::new(|_, stream| {
        std::thread::sleep(Duration::from_millis(200));
        let _ = stream.write_all(&found(&elf(ID)));
    });
    let setup = Setup::new(&[&server]);
    let client = setup.client();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let answer = client.get(Kind::Debuginfo, ID, "libx.so");
                assert!(answer.unwrap().is_ok());
            });
        }
    });
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_file_that_is_not_here_is_fetched_if_its_build_id_is_known() {
    let server = Server::saying(found(&elf(ID)));
    let setup = Setup::new(&[&server]);
    let files = Files::new(setup.options.clone(), None, &setup.notes);
    assert!(files.open("/nowhere/libx.so", None).is_err());
    assert!(files.open_here("/nowhere/libx.so", Some(ID)).is_err());
    assert!(server.asked().is_empty());
    let file = files.open("/nowhere/libx.so", Some(ID)).unwrap();
    assert_eq!(file.bytes(), elf(ID));
    assert_eq!(server.asked(), ["/buildid/0123456789/executable"]);
    let other = files.open("/nowhere/liby.so", Some(b"other")).unwrap_err();
    let why = other.to_string();
    assert!(
        why.starts_with("not found; the servers did not help: http://"),
        "{why}"
    );
    let debug = files.fetch_debug_file("/nowhere/libx.so", ID).unwrap();
    assert_eq!(debug.bytes(), elf(ID));
}

#[test]
fn variables_are_those_of_elfutils() {
    let servers = Servers::from_variables(|name| {
        let value = match name {
            "DEBUGINFOD_URLS" => " https://one.example/ ima:enforcing http://two.example:8002  ",
            "DEBUGINFOD_CACHE_PATH" => "/cache",
            "DEBUGINFOD_TIMEOUT" => "5",
            "DEBUGINFOD_MAXTIME" => "0",
            "DEBUGINFOD_MAXSIZE" => "1000",
            _ => return None,
        };
        Some(value.into())
    });
    assert_eq!(
        servers.urls,
        ["https://one.example", "http://two.example:8002"]
    );
    assert_eq!(servers.cache, Some("/cache".into()));
    assert_eq!(servers.timeout, Duration::from_secs(5));
    assert_eq!((servers.max_time, servers.max_size), (None, 1000));
    assert!(Servers::from_variables(|_| None).urls.is_empty());
}
