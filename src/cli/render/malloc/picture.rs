//! A picture of the arenas' memory: a row of cells after the other, by address, each coloured by how
//! much of it is free.

use super::size;
use pydbg::heap::alloc::glibc::{Figures, Map, Part};
use std::fmt::Write;

/// Cells in a row, and pixels of a cell.
const ROW: usize = 128;
const CELL: usize = 7;
/// Pixels around everything, and of a line of text.
const MARGIN: usize = 16;
const LINE: usize = 22;
/// The most runs of memory that are drawn.
const MOST: usize = 256;
/// From all in use to all free.
const COLOURS: [&str; 5] = ["#8b1a1a", "#d2691e", "#f0b860", "#cfe3b0", "#f2f6ea"];
const WORDS: [&str; 5] = [
    "in use",
    "to 25 % free",
    "to 75 % free",
    "to 99 % free",
    "all free",
];

fn colour(free: u64, unit: u64) -> usize {
    match free * 100 / unit.max(1) {
        0 => 0,
        1..=25 => 1,
        26..=75 => 2,
        76..=99 => 3,
        _ => 4,
    }
}

/// The map as SVG, and how many runs of memory are not in it.
pub fn svg(map: &Map, figures: &Figures) -> (String, usize) {
    let mut body = String::new();
    let mut top = MARGIN + 2 * LINE;
    for part in map.parts.iter().take(MOST) {
        let main = figures
            .arenas
            .get(part.arena)
            .is_some_and(|arena| arena.main);
        let name = if main { "main arena" } else { "arena" };
        let all = part.used + part.free + part.lost;
        text(
            &mut body,
            MARGIN,
            top,
            &format!(
                "{name} {} to {}: {}, {} free",
                part.start,
                part.end,
                size(all),
                size(part.free)
            ),
        );
        top += 8;
        cells(&mut body, part, map.unit, top);
        top += part.free_in.len().div_ceil(ROW) * CELL + LINE + 6;
    }
    let width = ROW * CELL + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{top}\" \
         font-family=\"monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut left = MARGIN;
    for (colour, words) in COLOURS.iter().zip(WORDS) {
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{}\" width=\"14\" height=\"14\" fill=\"{colour}\" \
             stroke=\"#888\"/>",
            MARGIN - 8
        );
        text(&mut svg, left + 20, MARGIN + 4, words);
        left += 130;
    }
    text(
        &mut svg,
        left,
        MARGIN + 4,
        &format!("1 cell: {} KiB", map.unit / 1024),
    );
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    (svg, map.parts.len().saturating_sub(MOST))
}

fn text(svg: &mut String, x: usize, y: usize, words: &str) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">{words}</text>");
}

/// The cells of a run, those side by side that look alike as one.
fn cells(svg: &mut String, part: &Part, unit: u64, top: usize) {
    let all = part.end.since(part.start).unwrap_or(0);
    for (row, cells) in part.free_in.chunks(ROW).enumerate() {
        let size = |column: usize| {
            let from = ((row * ROW + column) as u64).saturating_mul(unit);
            all.saturating_sub(from).min(unit)
        };
        let colours = cells.iter().enumerate();
        let colours: Vec<usize> = colours
            .map(|(column, free)| colour(u64::from(*free), size(column)))
            .collect();
        let mut column = 0;
        for run in colours.chunk_by(|one, other| one == other) {
            let fill = run
                .first()
                .and_then(|index| COLOURS.get(*index))
                .unwrap_or(&"white");
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{CELL}\" fill=\"{fill}\"/>",
                MARGIN + column * CELL,
                top + row * CELL,
                run.len() * CELL
            );
            column += run.len();
        }
    }
    let rows = part.free_in.len().div_ceil(ROW);
    let columns = part.free_in.len().min(ROW);
    let _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" \
         stroke=\"#888\"/>",
        columns * CELL,
        rows * CELL
    );
}
