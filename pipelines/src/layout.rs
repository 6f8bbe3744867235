//! Where everybody is on the canvas. Pure: capture asks it for the size of a tile, render for its
//! place.

/// A rectangle on the canvas, pixels, all even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// The places of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// One place per screen share.
    pub screen_shares: Vec<Rect>,
    /// One place per participant, in the order of joining.
    pub participants: Vec<Rect>,
}

/// The shape of a tile, width to height.
const TILE_ASPECT: (u64, u64) = (16, 9);

/// The part of the canvas that screen shares take, in percent of its longer side.
const SCREEN_SHARE_PERCENT: u32 = 80;

/// Arranges `participants` tiles and `screen_shares` large areas on a canvas of `width` × `height`.
///
/// Tiles form the grid that makes them largest, the last row centred. Screen shares take the left
/// part of the canvas (the upper part of a canvas in portrait) and the participants the strip that
/// is left.
pub fn arrange(width: u32, height: u32, participants: usize, screen_shares: usize) -> Layout {
    let canvas = Rect {
        x: 0,
        y: 0,
        width: even(width),
        height: even(height),
    };
    if screen_shares == 0 {
        return Layout {
            screen_shares: Vec::new(),
            participants: grid(canvas, participants),
        };
    }
    if participants == 0 {
        return Layout {
            screen_shares: grid(canvas, screen_shares),
            participants: Vec::new(),
        };
    }
    let (shares, strip) = split(canvas);
    Layout {
        screen_shares: grid(shares, screen_shares),
        participants: grid(strip, participants),
    }
}

/// Cuts a canvas into the area for screen shares and the strip for participants.
fn split(canvas: Rect) -> (Rect, Rect) {
    if canvas.width >= canvas.height {
        let at = even(canvas.width * SCREEN_SHARE_PERCENT / 100);
        (
            Rect {
                width: at,
                ..canvas
            },
            Rect {
                x: canvas.x + at,
                width: canvas.width - at,
                ..canvas
            },
        )
    } else {
        let at = even(canvas.height * SCREEN_SHARE_PERCENT / 100);
        (
            Rect {
                height: at,
                ..canvas
            },
            Rect {
                y: canvas.y + at,
                height: canvas.height - at,
                ..canvas
            },
        )
    }
}

/// Places `count` tiles in `area`; a single one takes all of it.
fn grid(area: Rect, count: usize) -> Vec<Rect> {
    if count <= 1 {
        return vec![area; count];
    }
    let (columns, rows, width, height) = largest_tiles(area, count);
    let top = area.y + even((area.height - rows * height) / 2);
    (0..count)
        .map(|index| {
            let (row, column) = (index / columns, index % columns);
            let in_row = columns.min(count - row * columns);
            let left = area.x + even((area.width - in_row as u32 * width) / 2);
            Rect {
                x: left + column as u32 * width,
                y: top + row as u32 * height,
                width,
                height,
            }
        })
        .collect()
}

/// Columns, rows and tile size of the grid with the largest tiles. Of grids with equal tiles the
/// one with the fewest empty places is taken, then the one with more columns.
fn largest_tiles(area: Rect, count: usize) -> (usize, u32, u32, u32) {
    (1..=count)
        .map(|columns| {
            let rows = count.div_ceil(columns) as u32;
            let (width, height) = tile_within(area.width / columns as u32, area.height / rows);
            (columns, rows, width, height)
        })
        .max_by_key(|&(columns, rows, width, height)| {
            // Rounding to even sizes must not decide between grids that are equal in shape.
            let size = u64::from(width / 8) * u64::from(height / 8);
            let empty = columns * rows as usize - count;
            (size, std::cmp::Reverse(empty), columns)
        })
        .unwrap_or((1, 1, area.width, area.height))
}

/// The largest tile of even size and about the right shape that fits a cell.
fn tile_within(cell_width: u32, cell_height: u32) -> (u32, u32) {
    let (across, down) = TILE_ASPECT;
    let height_for_width = nearest_even(u64::from(cell_width) * down, across);
    if height_for_width <= cell_height {
        (even(cell_width), height_for_width)
    } else {
        let width = nearest_even(u64::from(cell_height) * across, down);
        (width.min(even(cell_width)), even(cell_height))
    }
}

fn even(value: u32) -> u32 {
    value & !1
}

/// `numerator / denominator` rounded to the nearest even number.
fn nearest_even(numerator: u64, denominator: u64) -> u32 {
    (((numerator + denominator) / (2 * denominator)) * 2) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiles(count: usize) -> Vec<Rect> {
        arrange(1280, 720, count, 0).participants
    }

    #[test]
    fn one_participant_fills_the_canvas() {
        assert_eq!(
            tiles(1),
            [Rect {
                x: 0,
                y: 0,
                width: 1280,
                height: 720
            }]
        );
        assert_eq!(
            arrange(720, 1280, 1, 0).participants,
            [Rect {
                x: 0,
                y: 0,
                width: 720,
                height: 1280
            }]
        );
    }

    #[test]
    fn two_participants_stand_side_by_side() {
        assert_eq!(
            tiles(2),
            [
                Rect {
                    x: 0,
                    y: 180,
                    width: 640,
                    height: 360
                },
                Rect {
                    x: 640,
                    y: 180,
                    width: 640,
                    height: 360
                },
            ]
        );
    }

    #[test]
    fn two_participants_on_a_portrait_canvas_stand_above_each_other() {
        let tiles = arrange(720, 1280, 2, 0).participants;
        assert_eq!(tiles[0].x, tiles[1].x);
        assert_eq!(tiles[0].width, 720);
        assert!(tiles[1].y >= tiles[0].y + tiles[0].height);
    }

    #[test]
    fn grids_are_the_usual_ones() {
        for (count, columns, rows) in [
            (3, 2, 2),
            (4, 2, 2),
            (5, 3, 2),
            (6, 3, 2),
            (7, 3, 3),
            (9, 3, 3),
            (10, 4, 3),
            (12, 4, 3),
            (16, 4, 4),
        ] {
            let tiles = tiles(count);
            let first_row = tiles.iter().filter(|tile| tile.y == tiles[0].y).count();
            let mut tops: Vec<u32> = tiles.iter().map(|tile| tile.y).collect();
            tops.dedup();
            assert_eq!(
                (first_row, tops.len()),
                (columns, rows),
                "{count} participants"
            );
        }
    }

    #[test]
    fn the_last_row_is_centred() {
        let tiles = tiles(3);
        assert_eq!(
            tiles[2],
            Rect {
                x: 320,
                y: 360,
                width: 640,
                height: 360
            }
        );
    }

    #[test]
    fn a_screen_share_takes_the_left_and_participants_the_strip() {
        let layout = arrange(1280, 720, 3, 1);
        assert_eq!(
            layout.screen_shares,
            [Rect {
                x: 0,
                y: 0,
                width: 1024,
                height: 720
            }]
        );
        assert!(
            layout
                .participants
                .iter()
                .all(|tile| tile.x >= 1024 && tile.width > 200)
        );
        let alone = arrange(1280, 720, 0, 1);
        assert_eq!(
            alone.screen_shares,
            [Rect {
                x: 0,
                y: 0,
                width: 1280,
                height: 720
            }]
        );
    }

    #[test]
    fn places_are_even_inside_and_apart() {
        for (width, height) in [
            (1280, 720),
            (640, 480),
            (1920, 1080),
            (720, 1280),
            (854, 480),
        ] {
            for participants in 0..60 {
                for shares in 0..4 {
                    let layout = arrange(width, height, participants, shares);
                    assert_eq!(layout.participants.len(), participants);
                    assert_eq!(layout.screen_shares.len(), shares);
                    let all: Vec<Rect> = layout
                        .screen_shares
                        .into_iter()
                        .chain(layout.participants)
                        .collect();
                    for (index, place) in all.iter().enumerate() {
                        let Rect {
                            x,
                            y,
                            width: w,
                            height: h,
                        } = *place;
                        assert!(w >= 2 && h >= 2, "{participants}+{shares}: {place:?}");
                        assert_eq!((x | y | w | h) & 1, 0, "{place:?}");
                        assert!(x + w <= width && y + h <= height, "{place:?}");
                        for other in &all[index + 1..] {
                            let apart = x + w <= other.x
                                || other.x + other.width <= x
                                || y + h <= other.y
                                || other.y + other.height <= y;
                            assert!(apart, "{participants}+{shares}: {place:?} and {other:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_of_a_grid_have_the_shape_of_a_camera() {
        for count in 2..50 {
            for tile in tiles(count) {
                let shape = f64::from(tile.width) / f64::from(tile.height);
                assert!((shape - 16.0 / 9.0).abs() < 0.06, "{count}: {tile:?}");
            }
        }
    }
}
