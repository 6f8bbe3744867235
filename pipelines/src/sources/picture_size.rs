use crate::log::Codec;

use super::h264_size;

/// Width and height in pixels as a key frame's header tells them; none for a codec whose header
/// is not read here, or a header that makes no sense.
pub fn picture_size(codec: Codec, keyframe: &[u8]) -> Option<(u32, u32)> {
    match codec {
        Codec::Vp8 => vp8(keyframe),
        Codec::H264 => h264_size::picture_size(keyframe),
        Codec::Vp9 | Codec::Av1 | Codec::Opus | Codec::Pcm | Codec::Unknown => None,
    }
}

/// RFC 6386, 9.1.
fn vp8(frame: &[u8]) -> Option<(u32, u32)> {
    let header: &[u8; 10] = frame.first_chunk()?;
    let is_keyframe = header[0] & 1 == 0;
    if !is_keyframe || header[3..6] != [0x9d, 0x01, 0x2a] {
        return None;
    }
    // The upper two bits of each say how to scale.
    let width = u16::from_le_bytes([header[6], header[7]]) & 0x3fff;
    let height = u16::from_le_bytes([header[8], header[9]]) & 0x3fff;
    (width > 0 && height > 0).then_some((width.into(), height.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_size_of_a_vp8_keyframe() {
        let frame = [
            0x50, 0x42, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 0, 0,
        ];
        assert_eq!(picture_size(Codec::Vp8, &frame), Some((640, 360)));
        let scaled = [0x50, 0x42, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0x81];
        assert_eq!(picture_size(Codec::Vp8, &scaled), Some((640, 360)));
    }

    #[test]
    fn what_is_no_keyframe_has_no_size() {
        let frame = [0x51, 0x42, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
        assert_eq!(picture_size(Codec::Vp8, &frame), None);
        assert_eq!(picture_size(Codec::Vp8, &frame[..9]), None);
        assert_eq!(picture_size(Codec::Opus, &frame), None);
    }
}
