use std::cmp::Reverse;
use std::fmt::Write;
use std::net::IpAddr;

use crate::sources::peer::IceCredentials;

use super::h264::original_profile;
use super::sections::Sections;
use super::{Offer, SdpError, not_acceptable};

/// The peer connection's answer as the client gets it: with the names that were offered, all that
/// RFC 9725 asks for, and candidates in an order that suits clients that take only the first.
///
/// # Errors
/// Nothing of a media section that is sent was taken.
pub fn complete(answer: &str, offer: &Offer) -> Result<String, SdpError> {
    let sections = Sections::read(answer)?;
    for section in &sections.media {
        let mid = section.attributes("mid").next().unwrap_or_default();
        let offered = offer.tracks.iter().find(|track| track.mid == mid);
        let payloads = section.description.split_whitespace().count();
        // Kind, port and protocol come before the payloads.
        if let Some(track) = offered
            && payloads <= 3
        {
            return Err(not_acceptable(format!(
                "{:?} is offered only in a form that cannot be taken: offer its usual profile, \
                 and H.264 with packetization-mode=1",
                track.codecs
            )));
        }
    }
    let mut completed = String::with_capacity(answer.len() + 256);
    for line in &sections.session {
        let _ = write!(completed, "{}={}\r\n", line.kind, line.value);
    }
    for section in &sections.media {
        let _ = write!(completed, "m={}\r\n", section.description);
        for line in section.lines.iter().filter(|line| line.kind != 'a') {
            let _ = write!(completed, "{}={}\r\n", line.kind, line.value);
        }
        let candidates = in_order(section.attributes("candidate"));
        for candidate in &candidates {
            let _ = write!(completed, "a=candidate:{candidate}\r\n");
        }
        if !candidates.is_empty() {
            completed.push_str("a=end-of-candidates\r\n");
        }
        for line in section.lines.iter().filter(|line| line.kind == 'a') {
            let ours = ["candidate", "end-of-candidates", "rtcp-mux-only"];
            if ours.iter().any(|name| line.attribute(name).is_some()) {
                continue;
            }
            match line.attribute("fmtp") {
                Some(fmtp) => {
                    let fmtp = original_profile(fmtp, &offer.replaced);
                    let _ = write!(completed, "a=fmtp:{fmtp}\r\n");
                }
                None => {
                    let _ = write!(completed, "a={}\r\n", line.value);
                }
            }
            if line.attribute("rtcp-mux").is_some() {
                completed.push_str("a=rtcp-mux-only\r\n");
            }
        }
    }
    Ok(completed)
}

/// What answers an ICE restart (RFC 9725 section 4.3.3): our new credentials, and the candidates of
/// the answer, which still hold.
///
/// # Errors
/// The answer has no media.
pub fn restart_fragment(answer: &str, local: &IceCredentials) -> Result<String, SdpError> {
    let sections = Sections::read(answer)?;
    let mut fragment = String::new();
    for name in ["ice-lite", "ice-options", "group"] {
        let mut values = sections.attributes(name);
        match values.next() {
            Some("") => {
                let _ = write!(fragment, "a={name}\r\n");
            }
            Some(value) => {
                let _ = write!(fragment, "a={name}:{value}\r\n");
            }
            None => {}
        }
    }
    let tagged = sections.media.first();
    let Some(tagged) = tagged else {
        return Err(not_acceptable("there is no media to restart ICE for"));
    };
    let _ = write!(fragment, "m={}\r\n", tagged.description);
    if let Some(mid) = tagged.attributes("mid").next() {
        let _ = write!(fragment, "a=mid:{mid}\r\n");
    }
    let _ = write!(
        fragment,
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
        local.user_fragment, local.password
    );
    for candidate in in_order(sections.attributes("candidate")) {
        let _ = write!(fragment, "a=candidate:{candidate}\r\n");
    }
    fragment.push_str("a=end-of-candidates\r\n");
    Ok(fragment)
}

/// Candidates, those first that most clients can use: UDP before TCP, IPv4 before IPv6, addresses
/// of this machine alone last. What they say of the ICE session is left out: they hold for the next
/// one as well, whose clients pass over those of the one before.
fn in_order<'a>(candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut candidates: Vec<&str> = candidates
        .map(|candidate| {
            candidate
                .split_once(" ufrag ")
                .map_or(candidate, |(kept, _)| kept)
        })
        .collect();
    candidates.sort_by_key(|candidate| {
        let words: Vec<&str> = candidate.split_whitespace().collect();
        let protocol = words.get(2).copied().unwrap_or_default();
        let address = words.get(4).and_then(|word| word.parse::<IpAddr>().ok());
        (
            address.is_some_and(|address| address.is_loopback()),
            Reverse(protocol.eq_ignore_ascii_case("udp")),
            address.is_some_and(|address| address.is_ipv6()),
        )
    });
    candidates
}
