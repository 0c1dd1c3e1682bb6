//! Source paths as gdb prints them. addr2line joins the compilation folder, the folder of the line
//! table and the file name; gdb leaves the compilation folder out (`./nptl/futex-internal.c`,
//! `Python/ceval.c`), unless the compiler was given an absolute path.

use super::Reader;
use gimli::UnitRef;

/// A source path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Printed {
    /// As gdb prints it.
    pub(super) file: String,
    /// The compilation folder, when `file` is relative to it.
    pub(super) directory: Option<String>,
}

/// Takes the compilation folder of `unit` off the joined path.
pub(super) fn as_gdb_prints(unit: &UnitRef<'_, Reader>, path: &str) -> Printed {
    let text = |reader: &Reader| String::from_utf8_lossy(reader.bytes()).into_owned();
    let directory = unit.comp_dir.as_ref().map(text).unwrap_or_default();
    let name = unit.name.as_ref().map(text).unwrap_or_default();
    relative(path, &directory, &name)
}

fn relative(path: &str, directory: &str, unit_name: &str) -> Printed {
    let joined = || Printed {
        file: path.to_owned(),
        directory: None,
    };
    let rest = path.strip_prefix(directory).and_then(|rest| {
        let rest = rest
            .strip_prefix('/')
            .or(directory.ends_with('/').then_some(rest));
        rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/'))
    });
    match rest {
        // The main file of a unit that was compiled by its absolute path.
        _ if path == unit_name || directory.is_empty() => joined(),
        // A file right in the compilation folder: gdb joins the two, unless it is the main file of
        // the unit (`t.c`), whose folder is absolute (that of glibc's units is `./nptl`).
        Some(rest) if !rest.contains('/') && (rest != unit_name || !directory.starts_with('/')) => {
            joined()
        }
        Some(rest) => Printed {
            file: rest.to_owned(),
            directory: Some(directory.to_owned()),
        },
        None => joined(),
    }
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn the_compilation_folder_is_left_out() {
        let file = |path, directory, unit| relative(path, directory, unit).file;
        assert_eq!(
            file("/b/py/Python/ceval.c", "/b/py", "Python/ceval.c"),
            "Python/ceval.c"
        );
        assert_eq!(file("/b/py/./M/a.c", "/b/py", "./M/a.c"), "./M/a.c");
        assert_eq!(file("/b/py/a.c", "/b/py", "/b/py/a.c"), "/b/py/a.c");
        assert_eq!(file("/usr/include/x.h", "/b/py", "a.c"), "/usr/include/x.h");
        assert_eq!(file("/b/python/x.h", "/b/py", "a.c"), "/b/python/x.h");
        assert_eq!(file("/b/py/../x.h", "/b/py", "a.c"), "../x.h");
        assert_eq!(file("a.c", "", "a.c"), "a.c");
        let glibc = |path| file(path, "./nptl", "pthread_create.c");
        assert_eq!(glibc("./nptl/pthread_create.c"), "./nptl/pthread_create.c");
        assert_eq!(glibc("./nptl/../sysdeps/nptl/x.h"), "../sysdeps/nptl/x.h");
    }
}
