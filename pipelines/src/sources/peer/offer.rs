//! What is read from an offer, and changed in it, before it is accepted. Pure.

/// The session description without candidates.
pub fn without_candidates(description: &str) -> String {
    let lines = description
        .lines()
        .filter(|line| !line.starts_with("a=candidate:") && *line != "a=end-of-candidates");
    lines.flat_map(|line| [line, "\r\n"]).collect()
}

/// The offer with other ICE credentials: what the other side would offer had it restarted ICE by
/// an offer (RFC 8839 section 4.4.1).
pub fn with_credentials(offer: &str, user_fragment: &str, password: &str) -> String {
    let lines = offer.lines().flat_map(|line| {
        if line.starts_with("a=ice-ufrag:") {
            ["a=ice-ufrag:", user_fragment, "\r\n"]
        } else if line.starts_with("a=ice-pwd:") {
            ["a=ice-pwd:", password, "\r\n"]
        } else {
            [line, "", "\r\n"]
        }
    });
    lines.collect()
}

/// The candidates in a session description, as `candidate:…`.
pub fn candidates(description: &str) -> impl Iterator<Item = &str> {
    description
        .lines()
        .filter_map(|line| line.strip_prefix("a="))
        .filter(|attribute| attribute.starts_with("candidate:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=ice-ufrag:old\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n\
        a=ice-pwd:oldoldoldoldoldoldoldold\r\na=mid:0\r\n";

    #[test]
    fn only_what_is_of_ice_changes() {
        let bare = without_candidates(OFFER);
        assert_eq!(
            with_credentials(&bare, "new", "newnewnewnewnewnewnewnew"),
            "v=0\r\na=ice-ufrag:new\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
             a=ice-pwd:newnewnewnewnewnewnewnew\r\na=mid:0\r\n"
        );
    }

    #[test]
    fn finds_the_candidates_of_an_offer() {
        assert_eq!(
            candidates(OFFER).collect::<Vec<_>>(),
            ["candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"]
        );
    }
}
