use crate::log::Codec;

/// The size of the pictures that a frame announces, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodedSize {
    pub width: u32,
    pub height: u32,
}

/// The size in the headers of a frame; nothing if it has none or they are broken. Read before a
/// decoder sees the frame, as a forged size makes decoders take gigabytes.
pub fn coded_size(codec: Codec, frame: &[u8]) -> Option<CodedSize> {
    match codec {
        Codec::Vp8 => vp8(frame),
        Codec::H264 => nal_units(frame)
            .filter_map(sequence_parameter_set)
            .max_by_key(|size| u64::from(size.width) * u64::from(size.height)),
        _ => None,
    }
}

/// RFC 6386, 9.1: a key frame's tag, start code and two times 14 bits.
fn vp8(frame: &[u8]) -> Option<CodedSize> {
    let header = frame.get(..10)?;
    if header[0] & 1 != 0 || header[3..6] != [0x9D, 0x01, 0x2A] {
        return None;
    }
    let side = |at: usize| u32::from(u16::from_le_bytes([header[at], header[at + 1]]) & 0x3FFF);
    Some(CodedSize {
        width: side(6),
        height: side(8),
    })
}

/// The NAL units of an Annex B byte stream.
fn nal_units(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let start = rest.windows(3).position(|window| window == [0, 0, 1])? + 3;
        let unit = &rest[start..];
        let end = unit
            .windows(3)
            .position(|window| window == [0, 0, 1])
            .unwrap_or(unit.len());
        rest = &unit[end..];
        Some(&unit[..end])
    })
}

/// Rec. ITU-T H.264, 7.3.2.1.1, as far as the picture's size in macroblocks.
fn sequence_parameter_set(unit: &[u8]) -> Option<CodedSize> {
    if unit.first()? & 0x1F != 7 {
        return None;
    }
    let payload = without_emulation_prevention(unit.get(1..)?);
    let mut bits = Bits {
        data: &payload,
        at: 0,
    };
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.unsigned()?;
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        let chroma_format = bits.unsigned()?;
        if chroma_format == 3 {
            bits.take(1)?;
        }
        bits.unsigned()?;
        bits.unsigned()?;
        bits.take(1)?;
        if bits.take(1)? == 1 {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.take(1)? == 1 {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.take(1)?;
            bits.unsigned()?;
            bits.unsigned()?;
            for _ in 0..bits.unsigned()?.min(255) {
                bits.unsigned()?;
            }
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.take(1)?;
    let width = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.unsigned()?.checked_add(1)?.checked_mul(16)?;
    let frames_only = bits.take(1)?;
    let height = map_units.checked_mul(2 - frames_only)?;
    Some(CodedSize { width, height })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let mut last: i64 = 8;
    for _ in 0..size {
        let code = i64::from(bits.unsigned()?);
        let delta = if code % 2 == 0 {
            -(code / 2)
        } else {
            code.div_euclid(2) + 1
        };
        last = (last + delta + 256) % 256;
        if last == 0 {
            return Some(());
        }
    }
    Some(())
}

/// The start of a unit without its emulation prevention bytes; a parameter set is short.
fn without_emulation_prevention(unit: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(unit.len().min(1_024));
    let mut zeros = 0;
    for &byte in unit.iter().take(1_024) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 32.
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// An Exp-Golomb coded number (9.1).
    fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.take(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_vp8_key_frame_tells_its_size() {
        let frame = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x41];
        let size = coded_size(Codec::Vp8, &frame);
        assert_eq!(
            size,
            Some(CodedSize {
                width: 640,
                height: 360
            })
        );
        let mut inter = frame;
        inter[0] |= 1;
        assert_eq!(coded_size(Codec::Vp8, &inter), None);
    }

    #[test]
    fn a_baseline_parameter_set_tells_its_size() {
        // 640×368 in macroblocks, profile 66, as a camera's encoder writes it.
        let frame = [
            0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x50, 0, 0, 1, 0x68,
        ];
        let size = coded_size(Codec::H264, &frame);
        assert_eq!(
            size,
            Some(CodedSize {
                width: 640,
                height: 368
            })
        );
    }

    proptest! {
        #[test]
        fn garbage_is_no_size_and_no_panic(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            sps in any::<bool>(),
        ) {
            let mut frame = if sps { vec![0, 0, 1, 0x67, 100] } else { Vec::new() };
            frame.extend(data);
            let _ = coded_size(Codec::H264, &frame);
            let _ = coded_size(Codec::Vp8, &frame);
        }
    }
}
