//! Line tables: from the offset of an instruction to its place in the source, exactly as CPython
//! does it. Mirrors `PyCode_Addr2Line` with `co_lnotab` (2.7, 3.6–3.9: Objects/lnotab_notes.txt),
//! PEP 626's ranges (3.10) and the location table (3.11+: Objects/locations.md).

use super::code::Position;
use super::layout::LineTable;

/// Instructions that share one position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    /// Byte offset behind the last of them; each range begins where the one before it ends.
    end: u32,
    position: Position,
}

/// A decoded line table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lines(Vec<Range>);

impl Lines {
    /// Decodes a whole table. Whatever the bytes are, the result has at most one range for each
    /// of them.
    pub fn decode(kind: LineTable, first_line: i32, table: &[u8]) -> Lines {
        Lines(match kind {
            LineTable::LnotabUnsigned => lnotab(first_line, table, i32::from),
            LineTable::LnotabSigned => lnotab(first_line, table, |byte| i32::from(byte as i8)),
            LineTable::Ranges => ranges(first_line, table),
            LineTable::Locations => locations(first_line, table),
        })
    }

    /// The position of the instruction at byte offset `lasti`; all unknown where the table has
    /// nothing.
    pub fn at(&self, lasti: u32) -> Position {
        let index = self.0.partition_point(|range| range.end <= lasti);
        self.0
            .get(index)
            .map(|range| range.position)
            .unwrap_or_default()
    }
}

/// A position that has a line and nothing else.
fn line_only(line: i32) -> Position {
    Position {
        line: Some(line),
        ..Position::default()
    }
}

/// Pairs (bytes, lines). A line holds from where the bytes so far end; the last has no end.
fn lnotab(first_line: i32, table: &[u8], delta: fn(u8) -> i32) -> Vec<Range> {
    let mut ranges = Vec::with_capacity(table.len() / 2 + 1);
    let (mut address, mut line) = (0u32, first_line);
    for pair in table.chunks_exact(2) {
        let &[bytes, lines] = pair else { break };
        if bytes > 0 {
            address = address.saturating_add(bytes.into());
            ranges.push(Range {
                end: address,
                position: line_only(line),
            });
        }
        line = line.wrapping_add(delta(lines));
    }
    ranges.push(Range {
        end: u32::MAX,
        position: line_only(line),
    });
    ranges
}

/// Pairs (bytes, lines) where each pair is a range of its own; −128 lines means no line.
fn ranges(first_line: i32, table: &[u8]) -> Vec<Range> {
    const NO_LINE: i8 = -128;
    let mut ranges = Vec::with_capacity(table.len() / 2);
    let (mut end, mut line) = (0u32, first_line);
    for pair in table.chunks_exact(2) {
        let &[bytes, lines] = pair else { break };
        end = end.saturating_add(bytes.into());
        let position = match lines as i8 {
            NO_LINE => Position::default(),
            lines => {
                line = line.wrapping_add(lines.into());
                line_only(line)
            }
        };
        ranges.push(Range { end, position });
    }
    ranges
}

/// Entries with a first byte of 1, four bits of kind, three bits of length − 1 in code units.
fn locations(first_line: i32, table: &[u8]) -> Vec<Range> {
    const CODE_UNIT: u32 = 2;
    let mut ranges = Vec::with_capacity(table.len() / 3);
    let mut bytes = table.iter().copied();
    let (mut end, mut line) = (0u32, first_line);
    while let Some(first) = bytes.next() {
        end = end.saturating_add((u32::from(first & 7) + 1) * CODE_UNIT);
        let Some(position) = location(first >> 3 & 15, &mut line, &mut bytes) else {
            break;
        };
        ranges.push(Range { end, position });
    }
    ranges
}

/// One entry of the location table; `None` when the table ends within it.
fn location(kind: u8, line: &mut i32, bytes: &mut impl Iterator<Item = u8>) -> Option<Position> {
    let (end_line, columns) = match kind {
        // The short form: columns in the kind and one byte.
        0..=9 => {
            let byte = bytes.next()?;
            let start = u32::from(kind) * 8 + u32::from(byte >> 4);
            (*line, Some((start, start + u32::from(byte & 15))))
        }
        // One line, 0 to 2 behind the last, and a byte for each column.
        10..=12 => {
            *line = line.wrapping_add(i32::from(kind) - 10);
            (*line, Some((bytes.next()?.into(), bytes.next()?.into())))
        }
        // A line without columns.
        13 => {
            *line = line.wrapping_add(signed_varint(bytes)?);
            (*line, None)
        }
        // The long form; a column of 0 stands for none.
        14 => {
            *line = line.wrapping_add(signed_varint(bytes)?);
            let end_line = line.wrapping_add(varint(bytes)? as i32);
            let (start, end) = (varint(bytes)?, varint(bytes)?);
            return Some(Position {
                line: Some(*line),
                end_line: Some(end_line),
                column: start.checked_sub(1),
                end_column: end.checked_sub(1),
            });
        }
        // No location.
        _ => return Some(Position::default()),
    };
    Some(Position {
        line: Some(*line),
        end_line: Some(end_line),
        column: columns.map(|(start, _)| start),
        end_column: columns.map(|(_, end)| end),
    })
}

/// Six bits for each byte, the least significant first; bit 6 tells that more follow.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let mut value = 0u32;
    let mut shift = 0u32;
    loop {
        let byte = bytes.next()?;
        value |= u32::from(byte & 63).checked_shl(shift).unwrap_or(0);
        shift += 6;
        if byte & 64 == 0 {
            return Some(value);
        }
    }
}

/// A varint with the sign in bit 0.
fn signed_varint(bytes: &mut impl Iterator<Item = u8>) -> Option<i32> {
    let value = varint(bytes)?;
    let magnitude = (value >> 1) as i32;
    Some(match value & 1 {
        0 => magnitude,
        _ => magnitude.wrapping_neg(),
    })
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
