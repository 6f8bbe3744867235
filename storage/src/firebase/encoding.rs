//! Names as addresses hold them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but letters, digits and `-._~`, as RFC 3986 and Google's signatures want it.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Likewise, but slashes stay.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// A name as a part of a path or a value in a query.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A name with slashes as a path.
pub fn path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_unusual_is_encoded() {
        assert_eq!(segment("a/b~c-1.mp4"), "a%2Fb~c-1.mp4");
        assert_eq!(path("a/방 &.mp4"), "a/%EB%B0%A9%20%26.mp4");
    }
}
