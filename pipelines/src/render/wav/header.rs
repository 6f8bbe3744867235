use super::SAMPLE_BYTES;

/// Bytes before the first sample.
pub const HEADER_BYTES: u64 = 44;

/// Samples per second.
const RATE: u32 = 16_000;

/// The header of a file of so many samples: RIFF, `fmt ` and the beginning of `data`, as in
/// Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991).
pub fn header(samples: u64) -> [u8; HEADER_BYTES as usize] {
    let data = u32::try_from(samples * SAMPLE_BYTES).unwrap_or(u32::MAX - 36);
    let mut header = [0; HEADER_BYTES as usize];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &(data + 36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        // PCM, one channel.
        &1u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * SAMPLE_BYTES as u32).to_le_bytes(),
        &(SAMPLE_BYTES as u16).to_le_bytes(),
        &(SAMPLE_BYTES as u16 * 8).to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

/// How many samples a header tells of; nothing if it is not one of [`header`].
pub fn samples_of(bytes: &[u8]) -> Option<u64> {
    let size = bytes.get(40..44)?.try_into().ok()?;
    let samples = u64::from(u32::from_le_bytes(size)) / SAMPLE_BYTES;
    (bytes == header(samples)).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_its_samples_and_is_known_again() {
        let bytes = header(16_000);
        assert_eq!(&bytes[..4], b"RIFF");
        assert_eq!(bytes[4..8], 32_036u32.to_le_bytes());
        assert_eq!(bytes[24..28], 16_000u32.to_le_bytes());
        assert_eq!(bytes[40..], 32_000u32.to_le_bytes());
        assert_eq!(samples_of(&bytes), Some(16_000));
        for at in 0..44 {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(samples_of(&damaged), None, "byte {at}");
        }
        assert_eq!(samples_of(&bytes[..43]), None);
    }
}
