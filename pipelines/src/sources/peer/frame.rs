use std::collections::HashMap;

use str0m::media::{Mid, Rid};

use crate::log::Codec;

/// A longer run of missing sequence numbers is a new stream, not a loss.
const LONGEST_LOSS: u64 = 10_000;

/// The log's name for a codec.
pub fn codec(codec: str0m::format::Codec) -> Codec {
    match codec {
        str0m::format::Codec::Vp8 => Codec::Vp8,
        str0m::format::Codec::H264 => Codec::H264,
        str0m::format::Codec::Vp9 => Codec::Vp9,
        str0m::format::Codec::Av1 => Codec::Av1,
        str0m::format::Codec::Opus => Codec::Opus,
        _ => Codec::Unknown,
    }
}

/// Counts packets that never arrived, by the sequence numbers of the frames that did.
#[derive(Debug, Default)]
pub struct PacketCounter {
    last: HashMap<(Mid, Option<Rid>), u64>,
}

impl PacketCounter {
    /// Packets missing between the frame before and the one made of `first..=last`. A contiguous
    /// frame has none missing: what lies between is padding, or was left out by the sender.
    pub fn lost_before(
        &mut self,
        stream: (Mid, Option<Rid>),
        first: u64,
        last: u64,
        contiguous: bool,
    ) -> u64 {
        let previous = self.last.insert(stream, last);
        match previous {
            Some(previous) if !contiguous => first
                .checked_sub(previous + 1)
                .filter(|lost| *lost < LONGEST_LOSS)
                .unwrap_or(0),
            _ => 0,
        }
    }

    /// Forgets a media section whose stream begins anew.
    pub fn forget(&mut self, mid: Mid) {
        self.last.retain(|(known, _), _| *known != mid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_what_is_missing_before_an_interrupted_frame() {
        let mid = Mid::from("0");
        let mut counter = PacketCounter::default();
        assert_eq!(counter.lost_before((mid, None), 10, 12, false), 0);
        assert_eq!(counter.lost_before((mid, None), 13, 13, true), 0);
        assert_eq!(counter.lost_before((mid, None), 16, 20, false), 2);
        assert_eq!(counter.lost_before((mid, None), 23, 23, true), 0);
    }

    #[test]
    fn layers_are_counted_apart() {
        let mid = Mid::from("0");
        let mut counter = PacketCounter::default();
        counter.lost_before((mid, Some(Rid::from("h"))), 10, 10, false);
        counter.lost_before((mid, Some(Rid::from("l"))), 500, 500, false);
        assert_eq!(
            counter.lost_before((mid, Some(Rid::from("h"))), 12, 12, false),
            1
        );
    }

    #[test]
    fn a_new_stream_is_no_loss() {
        let mid = Mid::from("0");
        let mut counter = PacketCounter::default();
        counter.lost_before((mid, None), 5, 5, true);
        assert_eq!(counter.lost_before((mid, None), 60_000, 60_001, false), 0);
        assert_eq!(counter.lost_before((mid, None), 3, 3, false), 0);
        counter.forget(mid);
        assert_eq!(counter.lost_before((mid, None), 20, 20, false), 0);
    }
}
