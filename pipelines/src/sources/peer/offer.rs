//! An offer for an ICE restart, made of the last one. Pure.

/// The session description `offer` with other ICE credentials and without candidates: what the
/// other side would offer had it restarted ICE by an offer (RFC 8839 section 4.4.1).
pub fn with_credentials(offer: &str, user_fragment: &str, password: &str) -> String {
    let mut made = String::with_capacity(offer.len());
    for line in offer.lines() {
        if line.starts_with("a=candidate:") || line == "a=end-of-candidates" {
            continue;
        }
        if line.starts_with("a=ice-ufrag:") {
            made.push_str("a=ice-ufrag:");
            made.push_str(user_fragment);
        } else if line.starts_with("a=ice-pwd:") {
            made.push_str("a=ice-pwd:");
            made.push_str(password);
        } else {
            made.push_str(line);
        }
        made.push_str("\r\n");
    }
    made
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
        assert_eq!(
            with_credentials(OFFER, "new", "newnewnewnewnewnewnewnew"),
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
