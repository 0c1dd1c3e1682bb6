//! Arenas as a picture: a row for each, and in it a cell for each pool, whose colour tells the size
//! of its blocks and how many of them are in use.

use super::Allocators;
use pydbg::diag::counted;
use pydbg::heap::alloc::pymalloc::{Filling, PoolUse};
use std::fmt::Write;

/// More arenas than this are not drawn: those that are least in use are.
const MOST_ARENAS: usize = 400;

/// Sizes in pixels.
const WIDTH: usize = 1024;
const HEIGHT: usize = 12;
const LEFT: usize = 140;
const RIGHT: usize = 200;
const TOP: usize = 74;

/// The largest block.
const LARGEST: u32 = 512;

/// The picture; `None` when there is nothing to draw.
pub fn of(view: &Allocators) -> Option<String> {
    let mut arenas: Vec<&Filling> = view.fillings.iter().flatten().collect();
    let all = arenas.len();
    if all == 0 {
        return None;
    }
    if all > MOST_ARENAS {
        arenas.sort_by_key(|arena| used(arena));
        arenas.truncate(MOST_ARENAS);
        arenas.sort_by_key(|arena| arena.address);
    }
    let height = TOP + arenas.len() * (HEIGHT + 2) + 10;
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut svg, &arenas, all, height);
    Some(svg)
}

fn draw(svg: &mut String, arenas: &[&Filling], all: usize, height: usize) -> std::fmt::Result {
    let width = LEFT + WIDTH + RIGHT;
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    )?;
    legend(svg, arenas.len(), all)?;
    for (row, arena) in arenas.iter().enumerate() {
        let y = TOP + row * (HEIGHT + 2);
        let base = y + HEIGHT - 2;
        writeln!(svg, "<text x=\"4\" y=\"{base}\">{}</text>", arena.address)?;
        let count = arena.pools.len().max(1);
        for (index, pool) in arena.pools.iter().enumerate() {
            let (x, next) = (index * WIDTH / count, (index + 1) * WIDTH / count);
            let cell = (next - x).max(2) - 1;
            let colour = colour(pool);
            writeln!(
                svg,
                "<rect x=\"{}\" y=\"{y}\" width=\"{cell}\" height=\"{HEIGHT}\" fill=\"{colour}\"/>",
                LEFT + x
            )?;
        }
        let x = LEFT + WIDTH + 6;
        writeln!(svg, "<text x=\"{x}\" y=\"{base}\">{}</text>", words(arena))?;
    }
    writeln!(svg, "</svg>")
}

/// What an arena has, beside its row.
fn words(arena: &Filling) -> String {
    let pools = arena.pools.iter();
    let blocks = |pool: &PoolUse| match pool {
        PoolUse::Blocks { size, used, .. } => Some((u64::from(*used), u64::from(*size))),
        _ => None,
    };
    let (mut in_pools, mut in_use) = (0, 0);
    for (used, _) in pools.filter_map(blocks) {
        in_pools += 1;
        in_use += used;
    }
    format!(
        "{} in {}",
        counted(in_use, "block"),
        counted(in_pools, "pool")
    )
}

/// Bytes of blocks in use.
fn used(arena: &Filling) -> u64 {
    let bytes = |pool: &PoolUse| match pool {
        PoolUse::Blocks { size, used, .. } => u64::from(*size) * u64::from(*used),
        _ => 0,
    };
    arena.pools.iter().map(bytes).sum()
}

/// Hue by the size of blocks, from blue for small ones to red; the fuller, the darker.
fn colour(pool: &PoolUse) -> String {
    match pool {
        PoolUse::Fresh => "#f4f4f4".to_owned(),
        PoolUse::Free => "#d0d0d0".to_owned(),
        PoolUse::Damaged => "#000000".to_owned(),
        PoolUse::Blocks { size, used, room } => {
            let hue = 240 - 240 * (*size).min(LARGEST) / LARGEST;
            let light = 90 - 50 * (*used).min(*room) / (*room).max(1);
            rgb(f64::from(hue), f64::from(light) / 100.0)
        }
    }
}

/// A colour of a hue in degrees and a lightness, of a saturation that is always the same. Not every
/// program that shows SVG knows `hsl()`.
fn rgb(hue: f64, light: f64) -> String {
    const SATURATION: f64 = 0.7;
    let spread = SATURATION * light.min(1.0 - light);
    let part = |n: f64| {
        let k = (n + hue / 30.0) % 12.0;
        let value = light - spread * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", part(0.0), part(8.0), part(4.0))
}

fn legend(svg: &mut String, drawn: usize, all: usize) -> std::fmt::Result {
    let what = match drawn < all {
        true => format!("The {drawn} arenas of pymalloc that are least in use, of {all}"),
        false => format!("{all} arenas of pymalloc"),
    };
    writeln!(
        svg,
        "<text x=\"4\" y=\"18\" font-size=\"14\">{what}: a row each, a cell for each pool</text>"
    )?;
    let mut x = 4;
    let mut entry = |x: &mut usize, y: usize, pool: PoolUse, words: &str| {
        let base = y + HEIGHT - 2;
        let colour = colour(&pool);
        let start = *x;
        *x += 24 + 7 * words.len();
        writeln!(
            svg,
            "<rect x=\"{start}\" y=\"{y}\" width=\"14\" height=\"{HEIGHT}\" fill=\"{colour}\" \
             stroke=\"#808080\" stroke-width=\"0.5\"/>\
             <text x=\"{}\" y=\"{base}\">{words}</text>",
            start + 18
        )
    };
    let blocks = |size, used| PoolUse::Blocks {
        size,
        used,
        room: 100,
    };
    for size in [16, 64, 128, 192, 256, 320, 384, 448, 512] {
        entry(&mut x, 30, blocks(size, 100), &format!("{size} bytes"))?;
    }
    x = 4;
    for used in [1, 25, 50, 75, 100] {
        entry(&mut x, 50, blocks(64, used), &format!("{used} % in use"))?;
    }
    entry(&mut x, 50, PoolUse::Free, "free again")?;
    entry(&mut x, 50, PoolUse::Fresh, "never used")?;
    entry(&mut x, 50, PoolUse::Damaged, "damaged")
}
