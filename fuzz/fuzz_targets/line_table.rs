//! A line table of any bytes, in every format.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pydbg::python::layout::LineTable;
use pydbg::python::lines::Lines;

fuzz_target!(|input: (i32, u32, Vec<u8>)| {
    let (first_line, lasti, table) = input;
    for kind in [
        LineTable::LnotabUnsigned,
        LineTable::LnotabSigned,
        LineTable::Ranges,
        LineTable::Locations,
    ] {
        let _ = Lines::decode(kind, first_line, &table).at(lasti);
    }
});
