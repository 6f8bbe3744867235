//! The picture size in an H.264 sequence parameter set (ITU-T H.264, 7.3.2.1.1).

/// No parameter set in use is longer.
const LONGEST: usize = 512;

/// Larger pictures are taken for damage.
const MOST_MACROBLOCKS: u32 = 1024;

const SEQUENCE_PARAMETER_SET: u8 = 7;

/// Width and height in pixels by the first sequence parameter set of an Annex B access unit.
pub fn picture_size(access_unit: &[u8]) -> Option<(u32, u32)> {
    let unit = units(access_unit)
        .find(|unit| unit.first().map(|header| header & 0x1f) == Some(SEQUENCE_PARAMETER_SET))?;
    sequence_parameter_set(&unescape(&unit[1..]))
}

/// The units between start codes.
fn units(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = start_code(rest);
    std::iter::from_fn(move || {
        let at = next?;
        rest = &rest[at + 3..];
        next = start_code(rest);
        Some(&rest[..next.unwrap_or(rest.len())])
    })
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

/// Takes out the bytes that keep start codes from appearing (7.4.1).
fn unescape(payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(payload.len().min(LONGEST));
    let mut zeroes = 0;
    for &byte in payload.iter().take(LONGEST) {
        if zeroes >= 2 && byte == 3 {
            zeroes = 0;
            continue;
        }
        zeroes = if byte == 0 { zeroes + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

fn sequence_parameter_set(payload: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::new(payload);
    let profile = bits.take(8)?;
    bits.take(16)?; // constraints and level
    bits.exponential()?; // seq_parameter_set_id
    let mut chroma_format = 1;
    if HAS_CHROMA_FORMAT.contains(&profile) {
        chroma_format = bits.exponential()?;
        if chroma_format == 3 {
            bits.take(1)?; // separate_colour_plane_flag
        }
        bits.exponential()?; // bit_depth_luma_minus8
        bits.exponential()?; // bit_depth_chroma_minus8
        bits.take(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.take(1)? == 1 {
            skip_scaling_matrix(&mut bits, chroma_format)?;
        }
    }
    bits.exponential()?; // log2_max_frame_num_minus4
    skip_picture_order(&mut bits)?;
    bits.exponential()?; // max_num_ref_frames
    bits.take(1)?; // gaps_in_frame_num_value_allowed_flag
    let width_macroblocks = size_in_macroblocks(&mut bits)?;
    let height_map_units = size_in_macroblocks(&mut bits)?;
    let frames_only = bits.take(1)?;
    if frames_only == 0 {
        bits.take(1)?; // mb_adaptive_frame_field_flag
    }
    bits.take(1)?; // direct_8x8_inference_flag
    let height_macroblocks = height_map_units * (2 - frames_only);
    let crop = if bits.take(1)? == 1 {
        Crop::read(&mut bits)?
    } else {
        Crop::default()
    };
    // Cropping counts in chroma samples (7.4.2.1.1).
    let unit_width = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
    let unit_height = if chroma_format == 1 { 2 } else { 1 } * (2 - frames_only);
    let width = crop.apply(width_macroblocks * 16, unit_width, crop.left, crop.right)?;
    let height = crop.apply(height_macroblocks * 16, unit_height, crop.top, crop.bottom)?;
    Some((width, height))
}

/// The profiles whose parameter sets tell a chroma format.
const HAS_CHROMA_FORMAT: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

#[derive(Clone, Copy, Default)]
struct Crop {
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
}

impl Crop {
    fn read(bits: &mut Bits) -> Option<Self> {
        Some(Self {
            left: bits.exponential()?,
            right: bits.exponential()?,
            top: bits.exponential()?,
            bottom: bits.exponential()?,
        })
    }

    fn apply(self, size: u32, unit: u32, before: u32, after: u32) -> Option<u32> {
        let cropped = before.checked_add(after)?.checked_mul(unit)?;
        size.checked_sub(cropped).filter(|size| *size > 0)
    }
}

fn size_in_macroblocks(bits: &mut Bits) -> Option<u32> {
    let size = bits.exponential()?.checked_add(1)?;
    (size <= MOST_MACROBLOCKS).then_some(size)
}

fn skip_picture_order(bits: &mut Bits) -> Option<()> {
    match bits.exponential()? {
        0 => {
            bits.exponential()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.take(1)?; // delta_pic_order_always_zero_flag
            bits.exponential()?; // offset_for_non_ref_pic
            bits.exponential()?; // offset_for_top_to_bottom_field
            let frames = bits.exponential()?;
            if frames > 255 {
                return None;
            }
            for _ in 0..frames {
                bits.exponential()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Some(())
}

fn skip_scaling_matrix(bits: &mut Bits, chroma_format: u32) -> Option<()> {
    let lists = if chroma_format == 3 { 12 } else { 8 };
    for list in 0..lists {
        if bits.take(1)? == 0 {
            continue;
        }
        let size = if list < 6 { 16 } else { 64 };
        let (mut last, mut next) = (8_i32, 8_i32);
        for _ in 0..size {
            if next != 0 {
                next = (last.wrapping_add(bits.signed_exponential()?)).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

/// Reads bits from the most significant on.
struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// An unsigned number of up to 32 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            let bit = byte >> (7 - self.position % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.position += 1;
        }
        Some(value)
    }

    /// An exponential Golomb code (9.1); none for those that do not fit 32 bits.
    fn exponential(&mut self) -> Option<u32> {
        let mut zeroes = 0;
        while self.take(1)? == 0 {
            zeroes += 1;
            if zeroes > 31 {
                return None;
            }
        }
        let suffix = self.take(zeroes)?;
        Some((1_u32 << zeroes) - 1 + suffix)
    }

    /// The signed kind (9.1.1).
    fn signed_exponential(&mut self) -> Option<i32> {
        let code = i64::from(self.exponential()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 0 { -magnitude } else { magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        hexadecimal
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
            .collect()
    }

    #[test]
    fn reads_the_sizes_of_what_encoders_write() {
        for (set, size) in [
            // libwebrtc's OpenH264, constrained baseline.
            ("67 42 c0 1f 8c 8d 40 50 1e d0 0f 08 84 6a", (640, 480)),
            // x264 high, 1920x1080: cropped from 1088 lines.
            (
                "67 64 00 28 ac d9 40 78 02 27 e5 c0 44 00 00 03 00 04 00 00 03 00 c8 3c 60 c6 58",
                (1920, 1080),
            ),
        ] {
            let mut access_unit = vec![0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1];
            access_unit.extend(bytes(set));
            access_unit.extend([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
            assert_eq!(picture_size(&access_unit), Some(size), "{set}");
        }
    }

    #[test]
    fn without_a_parameter_set_there_is_no_size() {
        assert_eq!(picture_size(&[]), None);
        assert_eq!(picture_size(&[0, 0, 1]), None);
        assert_eq!(picture_size(&[0, 0, 1, 0x65, 1, 2, 3]), None);
        assert_eq!(picture_size(&[0, 0, 1, 0x67]), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..700)) {
            let mut access_unit = vec![0, 0, 1, 0x67];
            access_unit.extend(&payload);
            if let Some((width, height)) = picture_size(&access_unit) {
                prop_assert!(width > 0 && width <= MOST_MACROBLOCKS * 16);
                prop_assert!(height > 0 && height <= MOST_MACROBLOCKS * 32);
            }
            let _ = picture_size(&payload);
        }
    }
}
