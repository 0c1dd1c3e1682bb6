//! Rectangles whose areas are given, within another one and as near to squares as it goes: the
//! squarified treemap of Bruls, Huizing and van Wijk (2000).

/// A rectangle.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rectangle {
    /// Left border.
    pub x: f64,
    /// Upper border.
    pub y: f64,
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

impl Rectangle {
    /// What is left within a border of this width, below a heading of this height.
    pub fn within(self, border: f64, heading: f64) -> Rectangle {
        Rectangle {
            x: self.x + border,
            y: self.y + border + heading,
            width: (self.width - 2.0 * border).max(0.0),
            height: (self.height - 2.0 * border - heading).max(0.0),
        }
    }
}

/// Divides a rectangle in proportion to some sizes, which come largest first. Rows are laid along
/// the shorter side of what is free, each as long as that makes its rectangles more square.
pub fn divide(whole: Rectangle, sizes: &[u64]) -> Vec<Rectangle> {
    let sum: f64 = sizes.iter().map(|size| *size as f64).sum();
    let scale = whole.width * whole.height / sum.max(1.0);
    let areas: Vec<f64> = sizes.iter().map(|size| *size as f64 * scale).collect();
    let mut placed = Vec::with_capacity(areas.len());
    let mut free = whole;
    while let Some(rest) = areas.get(placed.len()..).filter(|rest| !rest.is_empty()) {
        let side = free.width.min(free.height);
        let count = row(rest, side);
        let row = rest.get(..count).unwrap_or(rest);
        let area: f64 = row.iter().sum();
        // The last row takes what rounding has left.
        let is_last = count == rest.len();
        let is_column = free.width >= free.height;
        let room = if is_column { free.width } else { free.height };
        let depth = if is_last {
            room
        } else {
            (area / side.max(f64::MIN_POSITIVE)).min(room)
        };
        let mut at = 0.0;
        for own in row {
            let length = match area > 0.0 {
                true => side * own / area,
                false => 0.0,
            };
            placed.push(match is_column {
                true => Rectangle {
                    x: free.x,
                    y: free.y + at,
                    width: depth,
                    height: length,
                },
                false => Rectangle {
                    x: free.x + at,
                    y: free.y,
                    width: length,
                    height: depth,
                },
            });
            at += length;
        }
        match is_column {
            true => (free.x, free.width) = (free.x + depth, free.width - depth),
            false => (free.y, free.height) = (free.y + depth, free.height - depth),
        }
    }
    placed
}

/// How many of these areas make the best row along a side.
fn row(areas: &[f64], side: f64) -> usize {
    let (mut sum, mut best) = (0.0, f64::INFINITY);
    let largest = areas.first().copied().unwrap_or(0.0);
    for (count, area) in areas.iter().enumerate() {
        sum += area;
        let square = side * side;
        // How much longer than wide the longest rectangle of the row is.
        let worst = (square * largest / (sum * sum)).max(sum * sum / (square * area));
        if count > 0 && (worst > best || !worst.is_finite()) {
            return count;
        }
        best = worst;
    }
    areas.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: Rectangle = Rectangle {
        x: 10.0,
        y: 20.0,
        width: 600.0,
        height: 400.0,
    };

    #[test]
    fn the_example_of_the_paper() {
        let whole = Rectangle {
            x: 0.0,
            y: 0.0,
            width: 6.0,
            height: 4.0,
        };
        let placed = divide(whole, &[6, 6, 4, 3, 2, 2, 1]);
        let first = Rectangle {
            height: 2.0,
            width: 3.0,
            ..whole
        };
        assert_eq!(placed[0], first);
        assert_eq!(placed[1], Rectangle { y: 2.0, ..first });
        assert!((placed[2].width - 12.0 / 7.0).abs() < 1e-9, "{placed:?}");
        assert!((placed[2].height - 7.0 / 3.0).abs() < 1e-9, "{placed:?}");
    }

    proptest! {
        #[test]
        fn areas_are_as_given_and_apart(mut sizes in proptest::collection::vec(0_u64..1 << 40, 0..60)) {
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            let placed = divide(WHOLE, &sizes);
            prop_assert_eq!(placed.len(), sizes.len());
            let sum: f64 = sizes.iter().map(|size| *size as f64).sum();
            let scale = WHOLE.width * WHOLE.height / sum.max(1.0);
            for (at, (one, size)) in placed.iter().zip(&sizes).enumerate() {
                let area = one.width * one.height;
                prop_assert!(sum == 0.0 || (area - *size as f64 * scale).abs() < 1e-3, "{one:?}");
                prop_assert!(one.x >= 10.0 - 1e-6 && one.x + one.width <= 610.0 + 1e-6);
                prop_assert!(one.y >= 20.0 - 1e-6 && one.y + one.height <= 420.0 + 1e-6);
                for other in &placed[..at] {
                    let apart = one.x + one.width <= other.x + 1e-6
                        || other.x + other.width <= one.x + 1e-6
                        || one.y + one.height <= other.y + 1e-6
                        || other.y + other.height <= one.y + 1e-6;
                    prop_assert!(apart, "{one:?} {other:?}");
                }
            }
        }
    }
}
