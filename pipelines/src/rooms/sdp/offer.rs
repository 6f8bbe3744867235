use std::collections::HashSet;
use std::fmt::Write;

use crate::log::{Codec, TrackKind};
use crate::sources::peer::IceCredentials;

use super::credentials::credentials;
use super::h264::{ReplacedProfiles, known_profile};
use super::sections::{MediaSection, Sections};
use super::{SdpError, malformed, not_acceptable, quoted};

/// The largest offer, bytes; that of a browser has about 8 KiB.
const MOST_BYTES: usize = 64 << 10;

/// The longest `a=mid` that the peer connection can tell apart.
const LONGEST_MID: usize = 16;

/// Candidates in an offer that are looked at.
const MOST_CANDIDATES: usize = 32;

/// The codecs that can be recorded, as `a=rtpmap` names them (RFC 7587, 7741, 6184, 9628, AV1 RTP).
const CODECS: [(TrackKind, &str, Codec); 5] = [
    (TrackKind::Audio, "opus/48000/2", Codec::Opus),
    (TrackKind::Video, "vp8/90000", Codec::Vp8),
    (TrackKind::Video, "h264/90000", Codec::H264),
    (TrackKind::Video, "vp9/90000", Codec::Vp9),
    (TrackKind::Video, "av1/90000", Codec::Av1),
];

/// The directions of a media section (RFC 8866 section 6.7).
const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];

/// A WHIP client's offer that can be answered.
pub struct Offer {
    /// What it publishes: one audio track at most, and one video track.
    pub tracks: Vec<OfferedTrack>,
    /// The client's side of the first ICE session.
    pub credentials: IceCredentials,
    for_peer: String,
    pub(super) replaced: ReplacedProfiles,
}

/// A media section that is sent to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedTrack {
    /// `a=mid` of its media section.
    pub mid: String,
    pub kind: TrackKind,
    /// Those of its codecs that can be recorded, as preferred by the client.
    pub codecs: Vec<Codec>,
    /// Names of its simulcast layers (RFC 8853), as preferred by the client; none without.
    pub layers: Vec<String>,
}

impl Offer {
    /// Reads an offer and decides whether it can be taken as a whole (RFC 9725 section 4.4).
    ///
    /// # Errors
    /// It cannot be read, or holds what cannot be taken.
    pub fn read(sdp: &str) -> Result<Self, SdpError> {
        if sdp.len() > MOST_BYTES {
            return Err(malformed(format!(
                "the offer has over {} KiB",
                MOST_BYTES >> 10
            )));
        }
        let sections = Sections::read(sdp)?;
        match sections.session.first() {
            Some(line) if line.kind == 'v' && line.value == "0" => {}
            _ => return Err(malformed("it is not SDP: it must begin with v=0")),
        }
        let credentials = credentials(
            sections.attributes("ice-ufrag").next(),
            sections.attributes("ice-pwd").next(),
        )?
        .ok_or_else(|| malformed("it has no a=ice-ufrag and a=ice-pwd"))?;
        if sections.attributes("fingerprint").next().is_none() {
            return Err(malformed(
                "it has no a=fingerprint: media must be encrypted",
            ));
        }
        let bundle = bundle(&sections);
        let mut media = Vec::new();
        for (index, section) in sections.media.iter().enumerate() {
            media.push(OfferedMedia::read(
                section,
                index,
                sections.media.len(),
                &bundle,
            )?);
        }
        check_together(&media, &bundle)?;
        let tracks = media.iter().filter_map(|media| media.track.clone());
        let mut offer = Self {
            tracks: tracks.collect(),
            credentials,
            for_peer: String::new(),
            replaced: ReplacedProfiles::new(),
        };
        offer.for_peer = offer.rewritten(&sections, &media);
        Ok(offer)
    }

    /// The offer as the peer connection takes it: without what it does not need and might stumble
    /// over, and sending only.
    pub fn for_peer(&self) -> &str {
        &self.for_peer
    }

    fn rewritten(&mut self, sections: &Sections<'_>, media: &[OfferedMedia<'_>]) -> String {
        let mut text = String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
        let mids: Vec<&str> = media
            .iter()
            .filter(|media| !media.rejected)
            .map(|media| media.mid.as_str())
            .collect();
        // Some clients name sections that are not there.
        let _ = write!(text, "a=group:BUNDLE {}\r\n", mids.join(" "));
        let mut candidates = 0;
        for line in &sections.session {
            let is_direction = DIRECTIONS.contains(&line.value);
            if line.kind != 'a' || line.attribute("group").is_some() || is_direction {
                continue;
            }
            self.append(&mut text, line.value, true, &mut candidates);
        }
        for media in media {
            let port = if media.rejected { 0 } else { 9 };
            let _ = write!(
                text,
                "m={} {port} UDP/TLS/RTP/SAVPF {}\r\na=mid:{}\r\na={}\r\n",
                media.kind_name, media.payloads, media.mid, media.direction
            );
            let known_profiles = media.needs_known_profiles;
            for line in &media.section.lines {
                let ours = line.attribute("mid").is_some() || DIRECTIONS.contains(&line.value);
                if line.kind == 'a' && !ours {
                    self.append(&mut text, line.value, !known_profiles, &mut candidates);
                }
            }
        }
        text
    }

    /// Appends an attribute. Profiles of H.264 are not `as_offered` where none would be known.
    fn append(
        &mut self,
        text: &mut String,
        attribute: &str,
        as_offered: bool,
        candidates: &mut usize,
    ) {
        if attribute.starts_with("candidate:") {
            *candidates += 1;
            if *candidates > MOST_CANDIDATES {
                return;
            }
        }
        let _ = match attribute.strip_prefix("fmtp:") {
            Some(fmtp) if !as_offered => {
                write!(
                    text,
                    "a=fmtp:{}\r\n",
                    known_profile(fmtp, &mut self.replaced)
                )
            }
            _ => write!(text, "a={attribute}\r\n"),
        };
    }
}

/// The sections of the BUNDLE group (RFC 9143).
fn bundle<'a>(sections: &Sections<'a>) -> HashSet<&'a str> {
    let groups = sections
        .session
        .iter()
        .filter_map(|line| line.attribute("group"));
    groups
        .filter_map(|group| group.strip_prefix("BUNDLE"))
        .flat_map(str::split_whitespace)
        .collect()
}

/// A media section, checked.
struct OfferedMedia<'a> {
    section: &'a MediaSection<'a>,
    kind_name: &'static str,
    payloads: String,
    mid: String,
    /// It has port 0 and is not bundled (RFC 9143 section 6): it is not used.
    rejected: bool,
    /// As the peer connection is told.
    direction: &'static str,
    /// Set when it is sent to us.
    track: Option<OfferedTrack>,
    needs_known_profiles: bool,
}

impl<'a> OfferedMedia<'a> {
    fn read(
        section: &'a MediaSection<'a>,
        index: usize,
        sections: usize,
        bundle: &HashSet<&str>,
    ) -> Result<Self, SdpError> {
        let mut words = section.description.split_whitespace();
        let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
        else {
            return Err(malformed("an m= line lacks its port or protocol"));
        };
        let (kind, kind_name) = match kind {
            "audio" => (TrackKind::Audio, "audio"),
            "video" => (TrackKind::Video, "video"),
            "application" => {
                return Err(not_acceptable(
                    "data channels are not taken: publish audio and video only",
                ));
            }
            other => {
                return Err(not_acceptable(format!(
                    "media of kind {} is not taken: publish audio and video only",
                    quoted(other)
                )));
            }
        };
        if !protocol.contains("RTP/SAVP") {
            return Err(not_acceptable(format!(
                "media over {} is not taken, only UDP/TLS/RTP/SAVPF",
                quoted(protocol)
            )));
        }
        let payloads: Vec<&str> = words.collect();
        let mid = mid(section, index, sections)?;
        let rejected = port == "0" && !bundle.contains(mid.as_str()) && !section.has("bundle-only");
        let sends = !rejected && sends(section)?;
        let mut offered = Self {
            section,
            kind_name,
            payloads: payloads.join(" "),
            mid,
            rejected,
            direction: if sends { "sendonly" } else { "inactive" },
            track: None,
            needs_known_profiles: false,
        };
        if sends {
            offered.check_transport()?;
            let codecs = codecs(section, kind, &payloads)?;
            // Its names matter only when there is no other choice.
            offered.needs_known_profiles = codecs.iter().all(|codec| *codec == Codec::H264);
            offered.track = Some(OfferedTrack {
                mid: offered.mid.clone(),
                kind,
                codecs,
                layers: layers(section),
            });
        }
        Ok(offered)
    }

    fn check_transport(&self) -> Result<(), SdpError> {
        let section = self.section;
        if !section.has("rtcp-mux") && !section.has("rtcp-mux-only") {
            return Err(not_acceptable(
                "RTP and RTCP must share a port: a=rtcp-mux is missing (RFC 9725 section 4.4.1)",
            ));
        }
        if section.attributes("setup").any(|setup| setup == "holdconn") {
            return Err(not_acceptable(
                "a=setup must be actpass, active or passive (RFC 9725 section 4.4.4)",
            ));
        }
        Ok(())
    }
}

/// What holds for all sections that are sent.
fn check_together(media: &[OfferedMedia<'_>], bundle: &HashSet<&str>) -> Result<(), SdpError> {
    let mut mids = HashSet::new();
    if !media.iter().all(|media| mids.insert(media.mid.as_str())) {
        return Err(malformed("two media sections have the same a=mid"));
    }
    let used: Vec<_> = media.iter().filter(|media| !media.rejected).collect();
    let bundled = used.iter().all(|media| bundle.contains(media.mid.as_str()));
    if used.len() > 1 && !bundled {
        return Err(not_acceptable(
            "all media must be in one a=group:BUNDLE (RFC 9725 section 4.4.1)",
        ));
    }
    let tracks: Vec<_> = media
        .iter()
        .filter_map(|media| media.track.as_ref())
        .collect();
    if tracks.is_empty() {
        return Err(not_acceptable(
            "nothing is sent: a media section must be a=sendonly or a=sendrecv",
        ));
    }
    for (kind, name) in [(TrackKind::Audio, "audio"), (TrackKind::Video, "video")] {
        if tracks.iter().filter(|track| track.kind == kind).count() > 1 {
            return Err(not_acceptable(format!(
                "more than one {name} track is offered: publish each in a session of its own \
                 (RFC 9725 section 4.4.2)"
            )));
        }
    }
    Ok(())
}

fn mid(section: &MediaSection<'_>, index: usize, sections: usize) -> Result<String, SdpError> {
    let mut mids = section.attributes("mid");
    let mid = match (mids.next(), mids.next()) {
        (Some(mid), None) => mid.to_owned(),
        // Without a group it needs no name.
        (None, _) if sections == 1 => index.to_string(),
        (None, _) => return Err(malformed("a media section has no a=mid")),
        (Some(_), Some(_)) => return Err(malformed("a media section has two a=mid")),
    };
    let plain = mid
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if mid.is_empty() || mid.len() > LONGEST_MID || !plain {
        return Err(not_acceptable(format!(
            "a=mid must have 1 to {LONGEST_MID} letters and digits, not {}",
            quoted(&mid)
        )));
    }
    Ok(mid)
}

/// Whether the client sends in a section: what is not said is `sendrecv` (RFC 8866 section 6.7).
fn sends(section: &MediaSection<'_>) -> Result<bool, SdpError> {
    let mut directions = DIRECTIONS.iter().filter(|name| section.has(name));
    match (directions.next(), directions.next()) {
        (_, Some(_)) => Err(malformed("a media section has two directions")),
        (None, None) => Ok(true),
        (Some(direction), None) => Ok(matches!(*direction, "sendrecv" | "sendonly")),
    }
}

/// The codecs of a section that can be recorded, in its order.
fn codecs(
    section: &MediaSection<'_>,
    kind: TrackKind,
    payloads: &[&str],
) -> Result<Vec<Codec>, SdpError> {
    let mut found = Vec::new();
    let mut others = Vec::new();
    for payload in payloads {
        let mut maps = section.attributes("rtpmap");
        let Some(name) = maps.find_map(|map| map.strip_prefix(payload)?.strip_prefix(' ')) else {
            continue;
        };
        let known = CODECS
            .iter()
            .find(|(of, known, _)| *of == kind && name.trim().eq_ignore_ascii_case(known));
        match known {
            Some((_, _, codec)) if found.contains(codec) => {}
            Some((_, _, codec)) => found.push(*codec),
            None => others.push(quoted(name)),
        }
    }
    if found.is_empty() {
        let (kind, taken) = match kind {
            TrackKind::Audio => ("audio", "Opus (48000 Hz, 2 channels)"),
            TrackKind::Video => ("video", "VP8, H.264, VP9 or AV1"),
        };
        others.truncate(4);
        return Err(not_acceptable(format!(
            "no {kind} codec that can be recorded is offered, only {}: send {taken}",
            others.join(", ")
        )));
    }
    Ok(found)
}

/// Names of the simulcast layers that are sent (RFC 8853 section 5.1), each by its first
/// alternative.
fn layers(section: &MediaSection<'_>) -> Vec<String> {
    let Some(simulcast) = section.attributes("simulcast").next() else {
        return Vec::new();
    };
    let mut words = simulcast.split_whitespace();
    let sent = words.by_ref().find(|word| *word == "send");
    let streams = sent.and_then(|_| words.next()).unwrap_or_default();
    streams
        .split(';')
        .filter_map(|stream| stream.split(',').next())
        .map(|name| name.trim_start_matches('~').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
