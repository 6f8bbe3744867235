//! Packets on a byte stream: each follows its length, 16 bits, big endian (RFC 4571 section 2).
//! Pure.

/// Bytes of the length.
const LENGTH_BYTES: usize = 2;

/// A frame was longer than any packet of ours may be; what follows cannot be told apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a frame of {length} bytes is longer than the {most} that a packet has; is it ICE over TCP?"
)]
pub struct FrameTooLong {
    pub length: usize,
    pub most: usize,
}

/// Appends a packet to what is to be written. Longer ones than a length can name are left out.
pub fn append_frame(stream: &mut Vec<u8>, packet: &[u8]) {
    if let Ok(length) = u16::try_from(packet.len()) {
        stream.extend_from_slice(&length.to_be_bytes());
        stream.extend_from_slice(packet);
    }
}

/// Finds the packets in a byte stream. Holds one frame at most and what was read after it.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    bytes: Vec<u8>,
    /// How many of them were returned already.
    taken: usize,
}

impl FrameDecoder {
    /// Takes what was read.
    pub fn push(&mut self, read: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(read);
    }

    /// Writes the next complete packet to `buffer` and returns its length; none if more has to be
    /// read. Empty frames, which keep connections alive, are passed over.
    ///
    /// # Errors
    /// A packet does not fit the buffer.
    pub fn next(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, FrameTooLong> {
        loop {
            let rest = &self.bytes[self.taken..];
            let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
                return Ok(None);
            };
            let length = usize::from(u16::from_be_bytes(*length));
            if length > buffer.len() {
                return Err(FrameTooLong {
                    length,
                    most: buffer.len(),
                });
            }
            let Some(packet) = rest.get(..length) else {
                return Ok(None);
            };
            buffer[..length].copy_from_slice(packet);
            self.taken += LENGTH_BYTES + length;
            if length > 0 {
                return Ok(Some(length));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packets_survive_however_the_stream_is_cut(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..20),
            cut in 1_usize..50,
        ) {
            let mut stream = Vec::new();
            for packet in &packets {
                append_frame(&mut stream, packet);
            }
            let mut decoder = FrameDecoder::default();
            let mut found = Vec::new();
            let mut buffer = [0; 64];
            for piece in stream.chunks(cut) {
                decoder.push(piece);
                while let Some(length) = decoder.next(&mut buffer).expect("frames that fit") {
                    found.push(buffer[..length].to_vec());
                }
            }
            prop_assert_eq!(found, packets);
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_is_an_error_before_it_is_read() {
        let mut decoder = FrameDecoder::default();
        decoder.push(&[0x47, 0x45]); // "GE" of "GET / HTTP/1.1"
        assert_eq!(
            decoder.next(&mut [0; 2048]),
            Err(FrameTooLong {
                length: 0x4745,
                most: 2048
            })
        );
    }

    #[test]
    fn empty_frames_are_passed_over() {
        let mut decoder = FrameDecoder::default();
        decoder.push(&[0, 0, 0, 0, 0, 1, 7]);
        let mut buffer = [0; 4];
        assert_eq!(decoder.next(&mut buffer), Ok(Some(1)));
        assert_eq!(buffer[0], 7);
        assert_eq!(decoder.next(&mut buffer), Ok(None));
    }
}
