//! Which picture stands for a recording.

use super::FIRST_NS;
use crate::render::picture::{Canvas, has_contrast};

/// When it is likely to show what the recording is about, ns of file time.
const SETTLED: u64 = 10_000_000_000;

/// How well a picture stands for its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// There is none.
    None,
    /// Better than none: names or a notice.
    Any,
    /// Somebody's picture.
    Somebody,
    /// Somebody's picture when all have settled.
    Best,
}

/// How well the canvas at a moment of file time, ns, would do; no better than `known` if it is not
/// worth a look.
pub fn rank(canvas: &Canvas, time_ns: u64, shows_somebody: bool, known: Rank) -> Rank {
    let rank = match time_ns {
        ..FIRST_NS => Rank::None,
        _ if !shows_somebody => Rank::Any,
        FIRST_NS..SETTLED => Rank::Somebody,
        _ => Rank::Best,
    };
    match rank > known && rank > Rank::Any && !has_contrast(&canvas.luma()) {
        true => Rank::Any,
        false => rank,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Rect;
    use crate::render::labels::I420Picture;

    #[test]
    fn the_first_seconds_and_empty_pictures_are_the_last_resort() {
        gstreamer::init().unwrap();
        let mut canvas = Canvas::new(64, 36).unwrap();
        for (time_ns, shows_somebody, expected) in [
            (FIRST_NS - 1, true, Rank::None),
            (SETTLED, false, Rank::Any),
            (SETTLED, true, Rank::Any),
        ] {
            let found = rank(&canvas, time_ns, shows_somebody, Rank::None);
            assert_eq!(found, expected, "{time_ns}");
        }
        let white = I420Picture {
            width: 32,
            height: 32,
            y: vec![200; 32 * 32],
            u: vec![128; 16 * 16],
            v: vec![128; 16 * 16],
        };
        let place = Rect {
            x: 0,
            y: 0,
            width: 32,
            height: 32,
        };
        canvas.draw(&white, place);
        assert_eq!(rank(&canvas, FIRST_NS, true, Rank::Any), Rank::Somebody);
        assert_eq!(rank(&canvas, SETTLED, true, Rank::Somebody), Rank::Best);
    }
}
