//! Treemaps as SVG: rectangles within rectangles, whose areas are sizes. What does not fit is cut,
//! and the whole text is a title, which browsers show where a rectangle is pointed at.

use super::squares::{Rectangle, divide};
use super::{clean, cut, xml};
use std::fmt::Write;

/// The picture without its caption, in pixels.
const WIDTH: f64 = 1400.0;
const HEIGHT: f64 = 880.0;
const MARGIN: f64 = 16.0;

/// Pixels of a line of text, of a character, and around rectangles within another one.
const LINE: f64 = 16.0;
const CHARACTER: f64 = 7.3;
const BORDER: f64 = 3.0;

/// What is narrower or lower is not drawn; the colour around it shows that something is there.
const LEAST: f64 = 2.0;

/// The fewest characters that are worth showing.
const FEWEST: usize = 4;

/// Colours of the parts of the whole, in their order.
const COLOURS: [(u8, u8, u8); 9] = [
    (78, 121, 167),
    (242, 142, 43),
    (89, 161, 79),
    (118, 183, 178),
    (237, 201, 72),
    (176, 122, 161),
    (156, 117, 95),
    (255, 157, 167),
    (128, 150, 200),
];

/// The colour of what should not be there.
const ALARM: (u8, u8, u8) = (214, 39, 40);

/// How a rectangle is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tint {
    /// By the part of the whole it belongs to.
    Own,
    /// As what is not told apart.
    Grey,
}

/// A rectangle, and those within it.
#[derive(Clone, Debug)]
pub struct Tile {
    /// What it is called; may quote the target.
    pub label: String,
    /// What stands below that.
    pub below: String,
    /// The whole text, line by line; may quote the target.
    pub title: Vec<String>,
    /// Its size.
    pub size: u64,
    /// Its colour.
    pub tint: Tint,
    /// Whether it and its parts stand out.
    pub alarm: bool,
    /// What it is made of, the largest first.
    pub parts: Vec<Tile>,
}

/// As a picture, with a caption whose lines may quote the target.
pub fn svg(caption: &[String], tiles: &[Tile]) -> String {
    let top = MARGIN + caption.len() as f64 * LINE * 1.2;
    let (width, height) = (WIDTH + 2.0 * MARGIN, top + HEIGHT + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (line, text) in (1..).zip(caption) {
        let style = if line == 1 {
            "font-size=\"14\" font-weight=\"bold\""
        } else {
            ""
        };
        _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{:.1}\" {style}>{}</text>",
            f64::from(line) * LINE * 1.2,
            xml(&cut(text, (WIDTH / CHARACTER * 0.8) as usize))
        );
    }
    let whole = Rectangle {
        x: MARGIN,
        y: top,
        width: WIDTH,
        height: HEIGHT,
    };
    let sizes: Vec<u64> = tiles.iter().map(|tile| tile.size).collect();
    for (number, (tile, place)) in tiles.iter().zip(divide(whole, &sizes)).enumerate() {
        let colour = match tile.alarm {
            true => ALARM,
            false => COLOURS
                .get(number % COLOURS.len())
                .copied()
                .unwrap_or(ALARM),
        };
        draw(&mut svg, tile, place, colour, 0);
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, tile: &Tile, place: Rectangle, colour: (u8, u8, u8), level: u32) {
    if place.width < LEAST || place.height < LEAST {
        return;
    }
    let fill = match tile.tint {
        Tint::Own => mixed(colour, (0.30 + 0.14 * f64::from(level.min(4))).min(0.86)),
        Tint::Grey => mixed((128, 128, 128), 0.72),
    };
    let title: Vec<String> = tile.title.iter().map(|line| xml(line)).collect();
    _ = writeln!(
        svg,
        "<g><title>{}</title><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
         fill=\"{fill}\" stroke=\"white\" stroke-width=\"{}\"/>",
        title.join("\n"),
        place.x,
        place.y,
        place.width,
        place.height,
        if level == 0 { 2.0 } else { 0.8 }
    );
    let heading = LINE + 2.0;
    let holds = place.within(BORDER, heading);
    // Where there is no room for a heading, the parts are not told apart either.
    let divided = !tile.parts.is_empty() && holds.width > 24.0 && holds.height > 14.0;
    let label = clean(&tile.label);
    let most = ((place.width - 2.0 * BORDER) / CHARACTER) as usize;
    let mut lines = Vec::new();
    if most >= FEWEST.min(label.chars().count()) && place.height >= LINE {
        match divided {
            true if label.chars().count() + tile.below.chars().count() + 2 <= most => {
                lines.push(format!("{label}  {}", tile.below));
            }
            true => lines.push(cut(&label, most)),
            false => {
                lines.push(cut(&label, most));
                let fits = place.height >= 2.0 * LINE + BORDER;
                if fits && tile.below.chars().count() <= most {
                    lines.push(tile.below.clone());
                }
            }
        }
    }
    for (line, text) in (0..).zip(&lines) {
        let weight = match divided && level == 0 {
            true => " font-weight=\"bold\"",
            false => "",
        };
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\"{weight}>{}</text>",
            place.x + BORDER + 1.0,
            place.y + (f64::from(line) + 0.8) * LINE,
            xml(text)
        );
    }
    if divided {
        let sizes: Vec<u64> = tile.parts.iter().map(|part| part.size).collect();
        for (part, place) in tile.parts.iter().zip(divide(holds, &sizes)) {
            draw(svg, part, place, colour, level + 1);
        }
    }
    svg.push_str("</g>\n");
}

/// A colour with so much white in it.
fn mixed((red, green, blue): (u8, u8, u8), white: f64) -> String {
    let part = |own: u8| (f64::from(own) * (1.0 - white) + 255.0 * white).round() as u8;
    format!("#{:02x}{:02x}{:02x}", part(red), part(green), part(blue))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(label: &str, size: u64, parts: Vec<Tile>) -> Tile {
        Tile {
            label: label.to_owned(),
            below: format!("{size} bytes"),
            title: vec![label.to_owned(), "</title><script>\u{1b}".to_owned()],
            size,
            tint: Tint::Own,
            alarm: size == 1,
            parts,
        }
    }

    #[test]
    fn texts_of_the_target_cannot_break_out() {
        let inner = tile(
            "<script>alert(1)</script>\u{1b}[2J\u{ffff}\"&",
            60,
            Vec::new(),
        );
        let tiles = [
            tile("outer", 100, vec![inner, tile("other", 40, Vec::new())]),
            tile("small", 1, Vec::new()),
            tile("nothing", 0, Vec::new()),
        ];
        let caption = ["<b>\u{7}".to_owned()];
        let svg = svg(&caption, &tiles);
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
        assert!(!svg.contains(['\u{1b}', '\u{7}', '\u{ffff}']), "{svg}");
        assert!(
            svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{svg}"
        );
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
        assert_eq!(
            svg.matches("<g>").count(),
            4,
            "what has no size is not drawn"
        );
        assert!(!svg.contains("NaN"));
        assert!(svg.starts_with("<svg ") && super::svg(&[], &[]).ends_with("</svg>\n"));
    }
}
