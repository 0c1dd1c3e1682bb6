//! Drawings as SVG. Names of the target are escaped, and full texts are titles, which browsers show
//! where something is pointed at.

use super::arrow::{Arrow, arrows};
use super::layout::{CHARACTER, LINE, MARGIN, Placed, Point, SMALL_CHARACTER, place};
use super::{Drawing, Edge, Mark, Shape, Weight, clean, xml};
use std::fmt::Write;

impl Drawing {
    /// As a picture.
    pub fn svg(&self) -> String {
        let placed = place(self);
        let arrows: Vec<(&Edge, Arrow)> = (self.edges.iter())
            .zip(arrows(self, &placed))
            .filter_map(|(edge, arrow)| Some((edge, arrow?)))
            .collect();
        let nodes = placed
            .iter()
            .map(|node| (node.centre, node.width, node.height));
        let labels = arrows.iter().map(|(edge, arrow)| {
            let width = clean(&edge.label).chars().count() as f64 * SMALL_CHARACTER;
            (arrow.place(), width, LINE)
        });
        let (mut left, mut right, mut top, mut low) = (0.0, 0.0, 0.0, 0.0);
        for (centre, width, height) in nodes.chain(labels) {
            left = f64::min(left, centre.x - width / 2.0);
            right = f64::max(right, centre.x + width / 2.0);
            top = f64::min(top, centre.y - height / 2.0);
            low = f64::max(low, centre.y + height / 2.0);
        }
        for line in &self.caption {
            let width = clean(line).chars().count() as f64 * CHARACTER;
            right = f64::max(right, left + MARGIN + width);
        }
        // The caption stands above it all.
        let caption = self.caption.len() as f64 * LINE;
        top -= if caption > 0.0 {
            caption + MARGIN / 2.0
        } else {
            0.0
        };
        let (width, height) = (right - left + MARGIN, low - top + MARGIN);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"{left:.0} {top:.0} {width:.0} {height:.0}\" font-family=\"monospace\" \
             font-size=\"14\">\n\
             <rect x=\"{left:.0}\" y=\"{top:.0}\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        for (line, text) in (1..).zip(&self.caption) {
            let weight = if line == 1 { "bold" } else { "normal" };
            _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"{weight}\">{}</text>",
                left + MARGIN,
                top + MARGIN / 2.0 + f64::from(line) * LINE,
                xml(&clean(text))
            );
        }
        for (edge, arrow) in &arrows {
            edge_svg(&mut svg, edge, arrow);
        }
        for node in &placed {
            node_svg(&mut svg, node);
        }
        // No arrow runs over a text.
        for (edge, arrow) in &arrows {
            label_svg(&mut svg, edge, arrow);
        }
        svg + "</svg>\n"
    }
}

fn stroke(mark: Mark) -> usize {
    match mark {
        Mark::Alarm | Mark::Focus => 2,
        Mark::Plain | Mark::Anchor => 1,
    }
}

fn node_svg(svg: &mut String, node: &Placed<'_>) {
    let (line, fill) = node.node.mark.colours();
    let Point { x, y } = node.centre;
    let (width, height) = (node.width, node.height);
    let outline = match node.node.shape {
        Shape::Box => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"",
            x - width / 2.0,
            y - height / 2.0
        ),
        Shape::Ellipse => format!(
            "<ellipse cx=\"{x:.1}\" cy=\"{y:.1}\" rx=\"{:.1}\" ry=\"{:.1}\"",
            width / 2.0,
            height / 2.0
        ),
    };
    let stroke = stroke(node.node.mark);
    let title = match node.node.title.as_str() {
        "" => String::new(),
        title => format!("<title>{}</title>", xml(title)),
    };
    _ = writeln!(
        svg,
        "<g>{title}{outline} fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"{stroke}\"/>"
    );
    let above = node.node.label.len().saturating_sub(1) as f64 / 2.0;
    for (at, line) in node.node.label.iter().enumerate() {
        let style = match line.weight {
            Weight::Strong => " font-weight=\"bold\"",
            Weight::Plain => "",
            Weight::Faint => " font-size=\"12\" fill=\"#606060\"",
        };
        _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
             dominant-baseline=\"central\"{style}>{}</text>",
            y + (at as f64 - above) * LINE,
            xml(&clean(&line.text))
        );
    }
    svg.push_str("</g>\n");
}

fn edge_svg(svg: &mut String, edge: &Edge, arrow: &Arrow) {
    /// Length and half the width of an arrow's head.
    const HEAD: (f64, f64) = (10.0, 4.5);
    let Arrow {
        start,
        first,
        second,
        tip,
        ..
    } = arrow;
    let (dx, dy) = (tip.x - second.x, tip.y - second.y);
    let length = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    let base = Point {
        x: tip.x - ux * HEAD.0,
        y: tip.y - uy * HEAD.0,
    };
    let colour = edge.mark.colours().0;
    let dash = if edge.dashed {
        " stroke-dasharray=\"6 4\""
    } else {
        ""
    };
    _ = writeln!(
        svg,
        "<path d=\"M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}\" fill=\"none\" \
         stroke=\"{colour}\" stroke-width=\"{}\"{dash}/>\
         <path d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}z\" fill=\"{colour}\"/>",
        start.x,
        start.y,
        first.x,
        first.y,
        second.x,
        second.y,
        base.x,
        base.y,
        stroke(edge.mark),
        tip.x,
        tip.y,
        base.x - uy * HEAD.1,
        base.y + ux * HEAD.1,
        base.x + uy * HEAD.1,
        base.y - ux * HEAD.1,
    );
}

fn label_svg(svg: &mut String, edge: &Edge, arrow: &Arrow) {
    let at = arrow.place();
    if edge.label.is_empty() {
        return;
    }
    let colour = edge.mark.colours().0;
    // Below the text lies the same one drawn broadly in white, so that it can be read on the line.
    for style in [
        "fill=\"white\" stroke=\"white\" stroke-width=\"5\"".to_owned(),
        format!("fill=\"{colour}\""),
    ] {
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" dominant-baseline=\"central\" \
             font-size=\"12\" {style}>{}</text>",
            at.x,
            at.y,
            xml(&clean(&edge.label))
        );
    }
}
