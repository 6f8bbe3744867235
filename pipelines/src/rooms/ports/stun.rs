//! As much of STUN as it takes to see whom a packet is for (RFC 8489). Pure.

/// Tells a request from an answer of later ones.
pub type TransactionId = [u8; 12];

const HEADER_BYTES: usize = 20;
/// RFC 8489 section 5.
const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
/// RFC 8489 section 14.3.
const USERNAME: u16 = 0x0006;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

/// A packet's kind.
#[derive(Debug, PartialEq, Eq)]
pub enum Stun<'a> {
    /// A connectivity check of the agent with this user name fragment: the part of the user name
    /// before the colon (RFC 8445 section 7.2.2).
    Request {
        user_fragment: &'a str,
        transaction: TransactionId,
    },
    /// The answer to a check.
    Response(TransactionId),
    /// Other STUN, or broken.
    Other,
}

/// Looks at a packet; none if it is not STUN.
pub fn look_at(packet: &[u8]) -> Option<Stun<'_>> {
    let (header, attributes) = packet.split_first_chunk::<HEADER_BYTES>()?;
    // The first two bits tell STUN from DTLS and RTP (RFC 7983).
    if header[0] & 0xC0 != 0 || header[4..8] != MAGIC_COOKIE {
        return None;
    }
    let transaction = header[8..].try_into().ok()?;
    Some(match u16::from_be_bytes([header[0], header[1]]) {
        BINDING_REQUEST => match user_fragment(attributes) {
            Some(user_fragment) => Stun::Request {
                user_fragment,
                transaction,
            },
            None => Stun::Other,
        },
        BINDING_SUCCESS | BINDING_ERROR => Stun::Response(transaction),
        _ => Stun::Other,
    })
}

fn user_fragment(mut attributes: &[u8]) -> Option<&str> {
    loop {
        let (head, rest) = attributes.split_first_chunk::<4>()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if kind == USERNAME {
            let name = std::str::from_utf8(rest.get(..length)?).ok()?;
            return name.split_once(':').map(|(ours, _)| ours);
        }
        // Values are filled up to four bytes.
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A check of `user_fragment` with an attribute before the user name.
    pub fn request(user_fragment: &str, transaction: TransactionId) -> Vec<u8> {
        let name = format!("{user_fragment}:theirs");
        let mut attributes = vec![0x00, 0x24, 0, 4, 1, 2, 3, 4]; // PRIORITY
        attributes.extend_from_slice(&USERNAME.to_be_bytes());
        attributes.extend_from_slice(&(name.len() as u16).to_be_bytes());
        attributes.extend_from_slice(name.as_bytes());
        attributes.resize(attributes.len().next_multiple_of(4), 0);
        message(BINDING_REQUEST, transaction, &attributes)
    }

    /// The answer to a check.
    pub fn response(transaction: TransactionId) -> Vec<u8> {
        message(BINDING_SUCCESS, transaction, &[])
    }

    fn message(kind: u16, transaction: TransactionId, attributes: &[u8]) -> Vec<u8> {
        let mut packet = kind.to_be_bytes().to_vec();
        packet.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        packet.extend_from_slice(&MAGIC_COOKIE);
        packet.extend_from_slice(&transaction);
        packet.extend_from_slice(attributes);
        packet
    }

    #[test]
    fn finds_whom_a_check_is_for() {
        assert_eq!(
            look_at(&request("ours", [7; 12])),
            Some(Stun::Request {
                user_fragment: "ours",
                transaction: [7; 12]
            })
        );
        assert_eq!(look_at(&response([9; 12])), Some(Stun::Response([9; 12])));
    }

    #[test]
    fn media_and_dtls_are_not_stun() {
        let mut packet = request("ours", [0; 12]);
        packet[0] = 0x80;
        assert_eq!(look_at(&packet), None);
        packet[0] = 22;
        packet[4] = 0;
        assert_eq!(look_at(&packet), None);
    }

    proptest! {
        #[test]
        fn no_packet_is_too_broken(
            mut packet in prop::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..60,
        ) {
            let _ = look_at(&packet);
            let whole = request("ours", [1; 12]);
            let _ = look_at(&whole[..cut.min(whole.len())]);
            if packet.len() > 8 {
                packet[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
                packet[4..8].copy_from_slice(&MAGIC_COOKIE);
                let _ = look_at(&packet);
            }
        }
    }
}
