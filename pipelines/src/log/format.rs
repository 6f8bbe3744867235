//! The bytes of a segment: pure encoding and decoding, as specified in `docs/capture-log.md`.

use bytes::Bytes;

use super::{Body, Frame, LogError, LogEvent, Record, SenderReport};

/// The version of the format that is written.
pub const FORMAT_VERSION: u32 = 1;
/// Size of a segment's header, bytes, in every version.
pub const SEGMENT_HEADER_BYTES: usize = 96;
/// Size of a record's header, bytes.
pub const RECORD_HEADER_BYTES: usize = 40;
/// The largest payload of a record, bytes.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;
/// The longest recording id, bytes of UTF-8.
pub const MAX_RECORDING_ID_BYTES: usize = 52;

const MAGIC: [u8; 8] = *b"TDCAPLOG";
const HEADER_CHECKSUM_AT: usize = SEGMENT_HEADER_BYTES - 4;
const RECORDING_ID_AT: usize = HEADER_CHECKSUM_AT - MAX_RECORDING_ID_BYTES;

const KIND_FRAME: u8 = 1;
const KIND_SENDER_REPORT: u8 = 2;
const KIND_EVENT: u8 = 3;
const KIND_TICK: u8 = 4;

const FLAG_KEYFRAME: u8 = 1;
const FLAG_CONTIGUOUS: u8 = 2;

/// A year: no recording is longer.
const MOST_TIME_NS: u64 = 366 * 86_400 * 1_000_000_000;

/// The header of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Counted from 1; also the file's name.
    pub segment: u32,
    /// Begins every record of this log. It is drawn at random, so that no media can imitate it.
    pub marker: u32,
    /// Wall time of recording time 0, Unix ns.
    pub started_wall_ns: i64,
    /// When the segment was begun, Unix ns.
    pub created_wall_ns: i64,
    pub recording_id: String,
}

/// Why a segment's header cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// Its checksum or magic is wrong.
    Damaged,
    /// It was written by another version.
    Version(u32),
}

impl SegmentHeader {
    /// Whether an id fits into a header.
    pub fn can_hold(recording_id: &str) -> bool {
        recording_id.len() <= MAX_RECORDING_ID_BYTES && !recording_id.contains('\0')
    }

    /// The header's bytes. The id must have passed [`SegmentHeader::can_hold`]; what is too long
    /// is cut.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segment.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.marker.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.started_wall_ns.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.created_wall_ns.to_le_bytes());
        let id = self.recording_id.as_bytes();
        let id = &id[..id.len().min(MAX_RECORDING_ID_BYTES)];
        bytes[RECORDING_ID_AT..RECORDING_ID_AT + id.len()].copy_from_slice(id);
        let checksum = crc32c::crc32c(&bytes[..HEADER_CHECKSUM_AT]);
        bytes[HEADER_CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header.
    pub fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, HeaderError> {
        let checksum = u32::from_le_bytes(field(bytes, HEADER_CHECKSUM_AT));
        if bytes[..8] != MAGIC || checksum != crc32c::crc32c(&bytes[..HEADER_CHECKSUM_AT]) {
            return Err(HeaderError::Damaged);
        }
        let version = u32::from_le_bytes(field(bytes, 8));
        if version != FORMAT_VERSION {
            return Err(HeaderError::Version(version));
        }
        let id = &bytes[RECORDING_ID_AT..HEADER_CHECKSUM_AT];
        let id = id.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Self {
            segment: u32::from_le_bytes(field(bytes, 12)),
            marker: u32::from_le_bytes(field(bytes, 16)),
            started_wall_ns: i64::from_le_bytes(field(bytes, 24)),
            created_wall_ns: i64::from_le_bytes(field(bytes, 32)),
            recording_id: String::from_utf8_lossy(id).into_owned(),
        })
    }
}

/// The header of a record, as read; whether it is true only the checksum tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub marker: u32,
    pub checksum: u32,
    pub payload_bytes: usize,
    kind: u8,
    flags: u8,
    track: u16,
    pub time_ns: u64,
    pub wall_ns: i64,
    rtp: i64,
}

impl RecordHeader {
    /// Reads a header; `None` when it cannot be one.
    pub fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Option<Self> {
        let payload_bytes = usize::try_from(u32::from_le_bytes(field(bytes, 8))).ok()?;
        (payload_bytes <= MAX_PAYLOAD_BYTES).then(|| Self {
            marker: u32::from_le_bytes(field(bytes, 0)),
            checksum: u32::from_le_bytes(field(bytes, 4)),
            payload_bytes,
            kind: bytes[12],
            flags: bytes[13],
            track: u16::from_le_bytes(field(bytes, 14)),
            time_ns: u64::from_le_bytes(field(bytes, 16)),
            wall_ns: i64::from_le_bytes(field(bytes, 24)),
            rtp: i64::from_le_bytes(field(bytes, 32)),
        })
    }

    /// Whether it could be a header, for searches that do not know the marker.
    pub fn is_plausible(&self) -> bool {
        self.marker != 0
            && (KIND_FRAME..=KIND_TICK).contains(&self.kind)
            && self.flags & !(FLAG_KEYFRAME | FLAG_CONTIGUOUS) == 0
            && self.time_ns < MOST_TIME_NS
            && self.wall_ns > 0
    }

    /// Header and payload, bytes.
    pub fn record_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.payload_bytes
    }

    /// Whether `record`, header and payload, is what was written.
    pub fn matches(&self, record: &[u8]) -> bool {
        self.checksum == checksum(record)
    }

    /// The record; `None` when it is of a kind that only a later version knows.
    pub fn into_record(self, payload: Bytes) -> Option<Record> {
        let body = match self.kind {
            KIND_FRAME => Body::Frame(Frame {
                track: self.track,
                keyframe: self.flags & FLAG_KEYFRAME != 0,
                contiguous: self.flags & FLAG_CONTIGUOUS != 0,
                rtp: self.rtp,
                payload,
            }),
            KIND_SENDER_REPORT => Body::SenderReport(SenderReport {
                track: self.track,
                rtp: self.rtp,
                ntp_ns: i64::from_le_bytes(*payload.first_chunk()?),
            }),
            // An event whose fields a later version changed is as unknown as a new one.
            KIND_EVENT => {
                Body::Event(serde_json::from_slice(&payload).unwrap_or(LogEvent::Unknown))
            }
            KIND_TICK => Body::Tick,
            _ => return None,
        };
        Some(Record {
            time_ns: self.time_ns,
            wall_ns: self.wall_ns,
            body,
        })
    }
}

/// Appends the bytes of `record`, with `time_ns` in place of its own, to `out`.
pub(super) fn encode_record(
    out: &mut Vec<u8>,
    marker: u32,
    time_ns: u64,
    record: &Record,
) -> Result<(), LogError> {
    let (event, report);
    let (kind, flags, track, rtp, payload): (u8, u8, u16, i64, &[u8]) = match &record.body {
        Body::Frame(frame) => {
            let keyframe = if frame.keyframe { FLAG_KEYFRAME } else { 0 };
            let contiguous = if frame.contiguous { FLAG_CONTIGUOUS } else { 0 };
            (
                KIND_FRAME,
                keyframe | contiguous,
                frame.track,
                frame.rtp,
                &frame.payload,
            )
        }
        Body::SenderReport(sender_report) => {
            report = sender_report.ntp_ns.to_le_bytes();
            (
                KIND_SENDER_REPORT,
                0,
                sender_report.track,
                sender_report.rtp,
                &report,
            )
        }
        Body::Event(log_event) => {
            event = serde_json::to_vec(log_event).map_err(LogError::Event)?;
            (KIND_EVENT, 0, 0, 0, &event)
        }
        Body::Tick => (KIND_TICK, 0, 0, 0, &[]),
    };
    let payload_bytes = u32::try_from(payload.len())
        .ok()
        .filter(|_| payload.len() <= MAX_PAYLOAD_BYTES)
        .ok_or(LogError::TooLarge(payload.len()))?;

    let start = out.len();
    out.reserve(RECORD_HEADER_BYTES + payload.len());
    out.extend_from_slice(&marker.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&payload_bytes.to_le_bytes());
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&track.to_le_bytes());
    out.extend_from_slice(&time_ns.to_le_bytes());
    out.extend_from_slice(&record.wall_ns.to_le_bytes());
    out.extend_from_slice(&rtp.to_le_bytes());
    out.extend_from_slice(payload);
    let sum = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// CRC32C (RFC 3720, appendix B.4) of what follows a record's checksum.
fn checksum(record: &[u8]) -> u32 {
    crc32c::crc32c(&record[8..])
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_segment_header_is_as_specified() {
        let header = SegmentHeader {
            segment: 2,
            marker: 0x0403_0201,
            started_wall_ns: 0x1122_3344_5566_7788,
            created_wall_ns: -2,
            recording_id: "EG_1".to_owned(),
        };
        let bytes = header.encode();
        let id = format!("45475f31{}", "00".repeat(48));
        assert_eq!(
            hexadecimal(&bytes[..92]),
            format!(
                "{}0100000002000000010203040000000088776655443322\
                 11feffffffffffffff{id}",
                hexadecimal(b"TDCAPLOG")
            )
        );
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
    }

    #[test]
    fn a_record_is_as_specified() {
        let body = Body::Frame(Frame {
            track: 0x0102,
            keyframe: true,
            contiguous: true,
            rtp: -1,
            payload: Bytes::from_static(b"123456789"),
        });
        let record = Record {
            time_ns: 3,
            wall_ns: 4,
            body,
        };
        let mut bytes = Vec::new();
        encode_record(&mut bytes, 0x0403_0201, 5, &record).unwrap();
        assert_eq!(hexadecimal(&bytes[..4]), "01020304");
        let checked = "09000000010302010500000000000000\
                       0400000000000000ffffffffffffffff313233343536373839";
        assert_eq!(hexadecimal(&bytes[8..]), checked);
        assert_eq!(bytes[4..8], crc32c::crc32c(&bytes[8..]).to_le_bytes());
        // The check value of CRC-32C, so that it is no other polynomial.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_of_a_later_kind_is_no_record() {
        let record = Record {
            time_ns: 0,
            wall_ns: 0,
            body: Body::Tick,
        };
        let mut bytes = Vec::new();
        encode_record(&mut bytes, 1, 0, &record).unwrap();
        let header = |bytes: &[u8]| RecordHeader::decode(bytes.first_chunk().unwrap()).unwrap();
        assert_eq!(header(&bytes).into_record(Bytes::new()), Some(record));
        bytes[12] = 99;
        assert_eq!(header(&bytes).into_record(Bytes::new()), None);
    }
}
