//! Offers, answers, candidates and ICE restarts of a peer connection.

use str0m::Candidate;
use str0m::change::SdpOffer;
use str0m::media::{Direction, Mid};

use super::offer;
use super::{MediaSection, Peer, PeerError, RemoteUse, Transport};

/// Candidates that are taken of the other side; nobody has more.
const MOST_CANDIDATES: usize = 64;

/// The user name fragment and the password of one side of an ICE session (RFC 8839 section 5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub user_fragment: String,
    pub password: String,
}

impl IceCredentials {
    fn is_valid(&self) -> bool {
        let ice_characters = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
        };
        (4..=256).contains(&self.user_fragment.len())
            && (22..=256).contains(&self.password.len())
            && ice_characters(&self.user_fragment)
            && ice_characters(&self.password)
    }
}

impl<T: Transport> Peer<T> {
    /// Answers an offer; also a repeated one, with an ICE restart or other media.
    ///
    /// # Errors
    /// The offer is not SDP or cannot be answered.
    pub fn accept_offer(&mut self, sdp: &str) -> Result<String, PeerError> {
        // They are taken one by one below: how many there are is up to the other side.
        let bare = offer::without_candidates(sdp);
        let offer = SdpOffer::from_sdp_string(&bare)
            .map_err(|error| PeerError::Offer(error.to_string()))?;
        let before = self.local_ice_credentials();
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| PeerError::Offer(error.to_string()))?;
        let credentials = self.local_ice_credentials();
        let restarted = credentials != before;
        if restarted {
            self.transport.named(&credentials.user_fragment);
            self.remote_candidates.clear();
        }
        if restarted || self.offer.is_none() {
            self.transport.path_sought(restarted);
        }
        let early = std::mem::take(&mut self.early_candidates);
        let offered = offer::candidates(sdp).filter_map(parse_candidate);
        for candidate in offered.chain(early) {
            self.take_candidate(candidate);
        }
        let answer = answer.to_sdp_string();
        self.candidates = offer::candidates(&answer).map(str::to_owned).collect();
        self.sections = self.sections_in(&answer);
        self.offer = Some(bare);
        Ok(answer)
    }

    /// Restarts ICE with these credentials of the other side, as an offer with them would (RFC
    /// 8445 section 9), and returns ours. Its candidates are void, media goes on over the path
    /// there is.
    ///
    /// # Errors
    /// There was no offer before, or the credentials are not what RFC 8839 section 5.4 allows.
    pub fn restart_ice(&mut self, remote: &IceCredentials) -> Result<IceCredentials, PeerError> {
        if !remote.is_valid() {
            return Err(PeerError::Offer(
                "its ICE user name fragment needs 4 to 256 letters, digits, + or /, its password 22 to 256"
                    .to_owned(),
            ));
        }
        let Some(last) = &self.offer else {
            return Err(PeerError::Offer(
                "ICE can be restarted only after an offer".to_owned(),
            ));
        };
        let offer = offer::with_credentials(last, &remote.user_fragment, &remote.password);
        self.accept_offer(&offer)?;
        Ok(self.local_ice_credentials())
    }

    /// What the other side needs of us for ICE. The answer holds it too.
    pub fn local_ice_credentials(&mut self) -> IceCredentials {
        let credentials = self.rtc.direct_api().local_ice_credentials();
        IceCredentials {
            user_fragment: credentials.ufrag,
            password: credentials.pass,
        }
    }

    /// Where the other side reaches us, as `candidate:…`: what the last answer holds too.
    pub fn local_candidates(&self) -> &[String] {
        &self.candidates
    }

    /// The media sections of the last answer, without rejected ones and data channels.
    pub fn media_sections(&self) -> &[MediaSection] {
        &self.sections
    }

    /// Takes a `candidate:…` line of the other side.
    pub fn add_remote_candidate(&mut self, line: &str) {
        let Some(candidate) = parse_candidate(line) else {
            return;
        };
        if self.is_negotiated() {
            self.take_candidate(candidate);
        } else if self.early_candidates.len() < MOST_CANDIDATES {
            self.early_candidates.push(candidate);
        }
    }

    fn take_candidate(&mut self, candidate: Candidate) {
        if self.remote_candidates.len() >= MOST_CANDIDATES
            || !self.remote_candidates.insert(candidate.clone())
        {
            return;
        }
        if self.consider(&candidate) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    /// Makes the transport ready for a candidate; whether the candidate is to be checked.
    fn consider(&mut self, candidate: &Candidate) -> bool {
        match self.transport.consider(candidate) {
            Ok(RemoteUse::Pair) => true,
            Ok(RemoteUse::PairFrom(local)) => {
                self.rtc.add_local_candidate(local);
                true
            }
            Ok(RemoteUse::Skip) => false,
            // The sockets there are may do.
            Err(error) => {
                log::debug!("no way to the candidate {}: {error}", candidate.addr());
                true
            }
        }
    }

    fn sections_in(&self, description: &str) -> Vec<MediaSection> {
        let named = description
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"));
        let media = named.filter_map(|mid| self.rtc.media(Mid::from(mid)));
        media
            .filter(|media| !media.disabled() && !media.stopped())
            .map(|media| MediaSection {
                mid: media.mid(),
                kind: media.kind(),
                receives: matches!(media.direction(), Direction::RecvOnly | Direction::SendRecv),
            })
            .collect()
    }
}

/// A candidate that can be used. Passed over are those with a name for an address, and those of
/// RTCP apart from RTP (component 2), which nobody needs who bundles.
fn parse_candidate(line: &str) -> Option<Candidate> {
    if line.split(' ').nth(1) != Some("1") {
        return None;
    }
    Candidate::from_sdp_string(line)
        .inspect_err(|error| log::debug!("ignoring the candidate \"{line}\": {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_without_an_address_and_those_of_rtcp_are_passed_over() {
        let of = |component: u8, address: &str| {
            let line = format!("candidate:1 {component} udp 2130706431 {address} 5000 typ host");
            parse_candidate(&line).is_some()
        };
        assert!(of(1, "192.0.2.1"));
        assert!(of(1, "2001:db8::1"));
        assert!(!of(2, "192.0.2.1"));
        assert!(!of(1, "5b1ec8a1-7f6c-4a43-9d3e-0c3f0f1f6a2b.local"));
        assert!(parse_candidate("candidate:").is_none());
    }
}
