use crate::layout::Rect;

/// The largest place of a picture of `width` × `height` within a tile that keeps its shape, centred,
/// even. A picture whose shape differs by less than a pixel or two fills the tile.
pub fn fit(tile: Rect, width: u32, height: u32) -> Rect {
    let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let by_width = nearest_even(u64::from(tile.width) * height, width).min(tile.height);
    let by_height = nearest_even(u64::from(tile.height) * width, height).min(tile.width);
    let wide = u64::from(tile.width) * height <= u64::from(tile.height) * width;
    let (fitted_width, fitted_height) = if wide {
        (tile.width, by_width)
    } else {
        (by_height, tile.height)
    };
    let fill = |fitted: u32, whole: u32| {
        if whole - fitted <= 2 {
            whole
        } else {
            fitted.max(2)
        }
    };
    let fitted_width = fill(fitted_width, tile.width);
    let fitted_height = fill(fitted_height, tile.height);
    Rect {
        x: tile.x + (((tile.width - fitted_width) / 2) & !1),
        y: tile.y + (((tile.height - fitted_height) / 2) & !1),
        width: fitted_width,
        height: fitted_height,
    }
}

fn nearest_even(numerator: u64, denominator: u64) -> u32 {
    ((numerator + denominator) / (2 * denominator) * 2).min(u64::from(u32::MAX - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILE: Rect = Rect {
        x: 640,
        y: 180,
        width: 640,
        height: 360,
    };

    #[test]
    fn a_picture_of_the_same_shape_fills_the_tile() {
        assert_eq!(fit(TILE, 1280, 720), TILE);
        assert_eq!(fit(TILE, 320, 180), TILE);
    }

    #[test]
    fn a_narrow_picture_has_borders_left_and_right() {
        assert_eq!(
            fit(TILE, 480, 640),
            Rect {
                x: 824,
                y: 180,
                width: 270,
                height: 360
            }
        );
        assert_eq!(fit(TILE, 1, 4000).width, 2);
    }

    #[test]
    fn a_wide_picture_has_borders_above_and_below() {
        let place = fit(TILE, 1280, 400);
        assert_eq!(
            place,
            Rect {
                x: 640,
                y: 260,
                width: 640,
                height: 200
            }
        );
    }
}
