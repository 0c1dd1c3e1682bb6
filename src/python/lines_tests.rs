//! Line tables of real interpreters, with what those interpreters themselves say about them
//! (`PyCode_Addr2Line` and `co_positions()`), and random tables against CPython's own algorithm
//! written down as it stands in C.

use super::*;
use crate::python::layout::Layout;
use proptest::prelude::*;

/// One line of the data: version, first line, table in hex, and `END:LINE[,END_LINE,COLUMNS]`
/// for each run of instructions with one position.
#[test]
fn tables_of_real_interpreters() {
    let data = include_str!("../../tests/data/lines.txt");
    let mut seen = 0;
    for case in data.lines() {
        let words: Vec<&str> = case.split(' ').collect();
        let [version, first_line, table, runs] = words[..] else {
            panic!("a malformed line: {case}");
        };
        let (major, minor) = version.split_once('.').unwrap();
        let version = (major.parse().unwrap(), minor.parse().unwrap());
        let kind = Layout::tables(version, false)
            .next()
            .unwrap()
            .kinds
            .line_table;
        let lines = Lines::decode(kind, first_line.parse().unwrap(), &unhex(table));
        let mut start = 0;
        for run in runs.split(';') {
            let (end, wanted) = run.split_once(':').unwrap();
            let end: u32 = end.parse().unwrap();
            for lasti in start..end {
                assert_eq!(lines.at(lasti), position(wanted), "{case} at {lasti}");
            }
            start = end;
            seen += 1;
        }
    }
    assert!(seen > 1500, "{seen} runs");
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim_matches('-').as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks_exact(2).map(byte).collect()
}

fn position(text: &str) -> Position {
    let mut parts = text.split(',').map(|part| part.parse::<i32>().ok());
    let mut next = || parts.next().flatten();
    Position {
        line: next(),
        end_line: next(),
        column: next().map(|c| c as u32),
        end_column: next().map(|c| c as u32),
    }
}

/// `PyCode_Addr2Line` of 3.9 (`unsigned_lines`: of 2.7).
fn addr2line_lnotab(first: i32, table: &[u8], lasti: u32, unsigned_lines: bool) -> Option<i32> {
    let (mut addr, mut line) = (0i64, first);
    for pair in table.chunks_exact(2) {
        addr += i64::from(pair[0]);
        if addr > i64::from(lasti) {
            break;
        }
        line += match unsigned_lines {
            true => i32::from(pair[1]),
            false => i32::from(pair[1] as i8),
        };
    }
    Some(line)
}

/// `_PyCode_CheckLineNumber` of 3.10.
fn addr2line_ranges(first: i32, table: &[u8], lasti: u32) -> Option<i32> {
    let (mut end, mut computed, mut line, mut pairs) = (0, first, None, table.chunks_exact(2));
    while end <= i64::from(lasti) {
        let pair = pairs.next()?;
        end += i64::from(pair[0]);
        if pair[1] as i8 == -128 {
            line = None;
        } else {
            computed += i32::from(pair[1] as i8);
            line = Some(computed);
        }
    }
    line
}

proptest! {
    #[test]
    fn lnotab_is_cpythons(table in prop::collection::vec(0u8..40, 0..40), lasti in 0u32..400) {
        let signed = Lines::decode(LineTable::LnotabSigned, 7, &table).at(lasti);
        prop_assert_eq!(signed.line, addr2line_lnotab(7, &table, lasti, false));
        let unsigned = Lines::decode(LineTable::LnotabUnsigned, 7, &table).at(lasti);
        prop_assert_eq!(unsigned.line, addr2line_lnotab(7, &table, lasti, true));
    }

    #[test]
    fn any_lnotab(table in prop::collection::vec(any::<u8>(), 0..40), lasti in 0u32..4000) {
        let lines = Lines::decode(LineTable::LnotabSigned, 7, &table);
        prop_assert_eq!(lines.at(lasti).line, addr2line_lnotab(7, &table, lasti, false));
    }

    #[test]
    fn ranges_are_cpythons(table in prop::collection::vec(any::<u8>(), 0..40), lasti in 0u32..4000) {
        let lines = Lines::decode(LineTable::Ranges, 7, &table);
        prop_assert_eq!(lines.at(lasti).line, addr2line_ranges(7, &table, lasti));
    }

    #[test]
    fn any_bytes_are_a_location_table(
        first in any::<i32>(),
        table in prop::collection::vec(any::<u8>(), 0..200),
        lasti in any::<u32>(),
    ) {
        let lines = Lines::decode(LineTable::Locations, first, &table);
        prop_assert!(lines.0.len() <= table.len());
        prop_assert!(lines.0.is_sorted_by_key(|range| range.end));
        lines.at(lasti);
    }
}
