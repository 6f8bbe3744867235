//! The Range header (RFC 9110, section 14), for one range of bytes.

use std::ops::Range;

/// Which part of an object to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it, with status 200.
    Whole,
    /// These bytes, with status 206. Never empty.
    Bytes(Range<u64>),
    /// None of it, with status 416.
    Unsatisfiable,
}

/// What `header` asks of an object of `size` bytes. A header that is not understood, or that asks
/// for several ranges, is ignored, as the standard allows.
pub fn part(header: Option<&str>, size: u64) -> Part {
    let Some((start, end)) = header.and_then(specification) else {
        return Part::Whole;
    };
    let bytes = match (start, end) {
        (Some(start), Some(end)) if start > end => return Part::Whole,
        (Some(start), end) => start..end.map_or(size, |end| end.saturating_add(1).min(size)),
        (None, Some(length)) => size.saturating_sub(length)..size,
        (None, None) => return Part::Whole,
    };
    if bytes.is_empty() {
        Part::Unsatisfiable
    } else {
        Part::Bytes(bytes)
    }
}

/// First and last number of a single range; either may be absent.
fn specification(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, ranges) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (start, end) = ranges.trim().split_once('-')?;
    Some((number(start.trim())?, number(end.trim())?))
}

/// A number or nothing; `None` when it is neither.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        let cases = [
            (None, Part::Whole),
            (Some("bytes=0-"), Part::Bytes(0..100)),
            (Some("bytes=10-19"), Part::Bytes(10..20)),
            (Some("bytes=99-99"), Part::Bytes(99..100)),
            (Some("bytes=90-1000"), Part::Bytes(90..100)),
            (Some("bytes=-30"), Part::Bytes(70..100)),
            (Some("bytes=-1000"), Part::Bytes(0..100)),
            (Some("BYTES = 1 - 2 "), Part::Bytes(1..3)),
            (Some("bytes=0-18446744073709551615"), Part::Bytes(0..100)),
            (Some("bytes=100-"), Part::Unsatisfiable),
            (Some("bytes=99999999999999999999999-"), Part::Unsatisfiable),
            (Some("bytes=-0"), Part::Unsatisfiable),
            (Some("bytes=20-10"), Part::Whole),
            (Some("bytes=0-1,5-6"), Part::Whole),
            (Some("bytes=-"), Part::Whole),
            (Some("bytes=a-b"), Part::Whole),
            (Some("bytes=+1-2"), Part::Whole),
            (Some("seconds=1-2"), Part::Whole),
            (Some("nonsense"), Part::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(part(header, 100), expected, "{header:?}");
        }
    }

    #[test]
    fn an_empty_object_has_no_ranges() {
        assert_eq!(part(None, 0), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Unsatisfiable);
        assert_eq!(part(Some("bytes=-5"), 0), Part::Unsatisfiable);
    }
}
