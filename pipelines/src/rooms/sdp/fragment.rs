use crate::sources::peer::IceCredentials;

use super::credentials::credentials;
use super::sections::Sections;
use super::{SdpError, malformed};

/// The largest fragment, bytes.
const MOST_BYTES: usize = 32 << 10;

/// The most candidates in a fragment.
const MOST_CANDIDATES: usize = 64;

/// What a `PATCH` carries (RFC 8840 section 4.4, RFC 9725 section 4.3): candidates, and the
/// credentials of the ICE session that they belong to.
#[derive(Clone, PartialEq, Eq)]
pub struct Fragment {
    /// None in those of clients that leave them out; then it is of the present session.
    pub credentials: Option<IceCredentials>,
    /// As `candidate:…`; what they say was not looked at.
    pub candidates: Vec<String>,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, SdpError> {
        if text.len() > MOST_BYTES {
            return Err(malformed(format!(
                "the fragment has over {} KiB",
                MOST_BYTES >> 10
            )));
        }
        let sections = Sections::read(text)?;
        // With max-bundle there is one media section; what a client writes for others is the same.
        let credentials = credentials(
            sections.attributes("ice-ufrag").next(),
            sections.attributes("ice-pwd").next(),
        )?;
        let candidates: Vec<String> = sections
            .attributes("candidate")
            .filter(|candidate| !candidate.is_empty())
            .map(|candidate| format!("candidate:{candidate}"))
            .collect();
        if candidates.len() > MOST_CANDIDATES {
            return Err(malformed(format!(
                "the fragment has over {MOST_CANDIDATES} candidates"
            )));
        }
        let ends = sections.attributes("end-of-candidates").next().is_some();
        if candidates.is_empty() && credentials.is_none() && !ends {
            return Err(malformed(
                "the fragment has neither candidates nor ICE credentials (RFC 8840 section 4.4)",
            ));
        }
        Ok(Self {
            credentials,
            candidates,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As in RFC 9725, figure 3.
    const TRICKLED: &str = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
        a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw\r\n\
        a=end-of-candidates\r\n";

    fn refusal(text: &str) -> String {
        match Fragment::read(text) {
            Err(SdpError::Malformed(message)) => message,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("accepted: {text}"),
        }
    }

    #[test]
    fn reads_what_the_rfc_shows() {
        let fragment = Fragment::read(TRICKLED).unwrap_or_else(|error| panic!("{error}"));
        let credentials = fragment.credentials.unwrap();
        assert_eq!(credentials.user_fragment, "EsAw");
        assert_eq!(credentials.password, "P2uYro0UCOQ4zxjKXaWCBui1");
        assert_eq!(fragment.candidates.len(), 2);
        assert!(fragment.candidates[0].starts_with("candidate:1387637174 1 udp "));
    }

    #[test]
    fn lines_may_end_without_a_carriage_return_and_credentials_may_stand_before_media() {
        let text = "a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\nm=audio 9 RTP/AVP 0\na=mid:0\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\n\n";
        let fragment = Fragment::read(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(fragment.credentials.is_some());
        assert_eq!(fragment.candidates.len(), 1);
    }

    #[test]
    fn what_is_no_fragment_is_told_so() {
        assert!(refusal("{\"candidate\":\"\"}").contains("line 1 is not SDP"));
        assert!(refusal("").contains("neither candidates nor"));
        assert!(refusal("a=mid:0\r\n").contains("neither candidates nor"));
        assert!(refusal("a=ice-ufrag:EsAw\r\n").contains("together"));
        assert!(refusal("a=ice-ufrag:E\r\na=ice-pwd:short\r\n").contains("4 to 256"));
        let many = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(65);
        assert!(refusal(&many).contains("candidates"));
        assert!(refusal(&"a=x\r\n".repeat(10_000)).contains("KiB"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC*", lines in "(a=(ice-ufrag|candidate|mid):.*\r\n|m=.*\r\n){0,9}") {
            let _ = Fragment::read(&text);
            let _ = Fragment::read(&lines);
        }
    }
}
