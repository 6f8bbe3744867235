use std::time::Instant;

use proptest::prelude::*;
use str0m::change::SdpOffer;
use str0m::{Candidate, RtcConfig};

use super::super::{complete, restart_fragment};
use super::*;

const CHROMIUM: &str = include_str!("offers/chromium.sdp");
const SIMULCAST: &str = include_str!("offers/simulcast.sdp");
const OBS: &str = include_str!("offers/obs.sdp");
const FFMPEG: &str = include_str!("offers/ffmpeg.sdp");
const GSTREAMER: &str = include_str!("offers/gstreamer.sdp");

fn read(sdp: &str) -> Offer {
    Offer::read(sdp).unwrap_or_else(|error| panic!("{error}\n{sdp}"))
}

fn refusal(sdp: &str) -> SdpError {
    match Offer::read(sdp) {
        Ok(_) => panic!("accepted: {sdp}"),
        Err(error) => error,
    }
}

fn not_acceptable(sdp: &str) -> String {
    match refusal(sdp) {
        SdpError::NotAcceptable(message) => message,
        other => panic!("{other:?}"),
    }
}

fn malformed(sdp: &str) -> String {
    match refusal(sdp) {
        SdpError::Malformed(message) => message,
        other => panic!("{other:?}"),
    }
}

/// The answer of a peer connection as the session has one.
fn answer(offer: &Offer) -> String {
    let mut rtc = RtcConfig::new()
        .clear_codecs()
        .enable_opus(true, true)
        .enable_vp8(true)
        .enable_h264(true)
        .enable_vp9(true)
        .enable_av1(true)
        .build(Instant::now());
    for address in ["127.0.0.1:6082", "[2001:db8::7]:6082", "192.0.2.7:6082"] {
        let address = address.parse().expect("address");
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("candidate"));
    }
    let sdp = SdpOffer::from_sdp_string(offer.for_peer())
        .unwrap_or_else(|error| panic!("{error}\n{}", offer.for_peer()));
    let answer = rtc
        .sdp_api()
        .accept_offer(sdp)
        .unwrap_or_else(|error| panic!("{error}\n{}", offer.for_peer()));
    complete(&answer.to_sdp_string(), offer).unwrap_or_else(|error| panic!("{error}"))
}

fn lines_with<'a>(text: &'a str, what: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(what)).collect()
}

#[test]
fn offers_of_real_clients_are_taken_and_answered() {
    for (client, sdp) in [
        ("chromium", CHROMIUM),
        ("simulcast", SIMULCAST),
        ("obs", OBS),
        ("ffmpeg", FFMPEG),
        ("gstreamer", GSTREAMER),
    ] {
        let offer = read(sdp);
        assert_eq!(offer.tracks.len(), 2, "{client}");
        let answer = answer(&offer);
        let sections = lines_with(sdp, "m=").len();
        assert_eq!(
            lines_with(&answer, "m=").len(),
            sections,
            "{client}\n{answer}"
        );
        assert_eq!(
            lines_with(&answer, "a=recvonly").len(),
            2,
            "{client}\n{answer}"
        );
        assert!(lines_with(&answer, "a=sendrecv").is_empty(), "{answer}");
        assert!(lines_with(&answer, "a=sendonly").is_empty(), "{answer}");
        assert!(
            !lines_with(&answer, "a=rtcp-mux-only").is_empty(),
            "{answer}"
        );
        assert_eq!(
            lines_with(&answer, "a=end-of-candidates").len(),
            1,
            "{answer}"
        );
        let role = if client == "ffmpeg" {
            "active"
        } else {
            "passive"
        };
        assert_eq!(
            lines_with(&answer, "a=setup:")[0],
            format!("a=setup:{role}")
        );
    }
}

#[test]
fn the_codecs_of_real_clients_are_found() {
    let codecs = |sdp| -> Vec<Vec<Codec>> {
        let tracks = read(sdp).tracks.into_iter();
        tracks.map(|track| track.codecs).collect()
    };
    assert_eq!(codecs(OBS), [vec![Codec::Opus], vec![Codec::H264]]);
    assert_eq!(codecs(GSTREAMER), [vec![Codec::Vp8], vec![Codec::Opus]]);
    let chromium = codecs(CHROMIUM);
    assert_eq!(chromium[0], [Codec::Opus]);
    assert_eq!(chromium[1][0], Codec::Vp8);
    assert!(chromium[1].contains(&Codec::H264) && chromium[1].contains(&Codec::Vp9));
}

#[test]
fn simulcast_layers_are_found_and_accepted() {
    let offer = read(SIMULCAST);
    assert_eq!(offer.tracks[1].layers, ["q", "h", "f"]);
    assert!(offer.tracks[0].layers.is_empty());
    let answer = answer(&offer);
    assert_eq!(
        lines_with(&answer, "a=simulcast:"),
        ["a=simulcast:recv q;h;f"]
    );
}

#[test]
fn a_profile_that_is_not_known_is_answered_by_its_own_name() {
    let answer = answer(&read(FFMPEG));
    assert!(
        lines_with(&answer, "a=fmtp:106")[0].contains("profile-level-id=42200ffffff9d"),
        "{answer}"
    );
}

#[test]
fn candidates_that_most_clients_can_use_come_first() {
    let answer = answer(&read(OBS));
    let addresses: Vec<_> = lines_with(&answer, "a=candidate:")
        .iter()
        .filter_map(|line| line.split(' ').nth(4))
        .collect();
    assert_eq!(addresses, ["192.0.2.7", "2001:db8::7", "127.0.0.1"]);
}

#[test]
fn a_group_may_name_sections_that_are_not_there() {
    let (audio_only, _) = FFMPEG.split_once("m=video").expect("sections");
    let offer = read(audio_only);
    assert_eq!(offer.tracks.len(), 1);
    assert_eq!(lines_with(&answer(&offer), "m=").len(), 1);
}

#[test]
fn a_restart_is_answered_with_credentials_and_candidates_alone() {
    let answer = answer(&read(OBS));
    let local = IceCredentials {
        user_fragment: "new".to_owned(),
        password: "secret".to_owned(),
    };
    let fragment = restart_fragment(&answer, &local).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(lines_with(&fragment, "a=ice-ufrag:"), ["a=ice-ufrag:new"]);
    assert_eq!(lines_with(&fragment, "a=ice-pwd:"), ["a=ice-pwd:secret"]);
    assert_eq!(lines_with(&fragment, "a=candidate:").len(), 3);
    assert!(!fragment.contains(" ufrag "), "{fragment}");
    assert_eq!(lines_with(&fragment, "a=mid:"), ["a=mid:0"]);
    assert_eq!(lines_with(&fragment, "m=").len(), 1);
    assert!(lines_with(&fragment, "a=fingerprint").is_empty());
    assert!(fragment.ends_with("a=end-of-candidates\r\n"));
}

#[test]
fn sections_that_send_nothing_are_not_answered_by_sending() {
    let sdp = OBS.replacen("a=sendonly", "a=recvonly", 1);
    let offer = read(&sdp);
    assert_eq!(offer.tracks.len(), 1);
    let answer = answer(&offer);
    assert_eq!(lines_with(&answer, "a=inactive").len(), 1, "{answer}");
    assert_eq!(lines_with(&answer, "a=recvonly").len(), 1, "{answer}");
}

#[test]
fn a_direction_that_is_not_said_sends() {
    let sdp = OBS.replace("a=sendonly\r\n", "");
    assert_eq!(read(&sdp).tracks.len(), 2);
    let both = OBS.replace("a=sendonly\r\n", "a=sendrecv\r\n");
    assert_eq!(lines_with(&answer(&read(&both)), "a=recvonly").len(), 2);
}

#[test]
fn what_cannot_be_taken_says_why() {
    let nothing = OBS.replace("a=sendonly", "a=recvonly");
    assert!(not_acceptable(&nothing).contains("nothing is sent"));

    let codec = OBS.replace("H264/90000", "H265/90000");
    let message = not_acceptable(&codec);
    assert!(
        message.contains("only H265/90000") && message.contains("VP8"),
        "{message}"
    );

    let audio = OBS.replace("opus/48000/2", "MP4A-LATM/48000");
    assert!(not_acceptable(&audio).contains("send Opus"));

    let unbundled = OBS.replace("a=group:BUNDLE 0 1\r\n", "");
    assert!(not_acceptable(&unbundled).contains("a=group:BUNDLE"));

    let unmuxed = OBS.replace("a=rtcp-mux\r\n", "");
    assert!(not_acceptable(&unmuxed).contains("rtcp-mux"));

    let data = format!("{OBS}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n");
    assert!(not_acceptable(&data).contains("data channels"));

    let plain = OBS.replace("UDP/TLS/RTP/SAVPF 96", "RTP/AVP 96");
    assert!(not_acceptable(&plain).contains("RTP/AVP"));

    let (session, media) = OBS.split_at(OBS.find("m=video").expect("a section"));
    let twice = format!("{session}{media}{}", media.replace("a=mid:1", "a=mid:2"))
        .replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    assert!(not_acceptable(&twice).contains("more than one video track"));
}

#[test]
fn what_is_not_sdp_says_so() {
    assert!(malformed("").contains("v=0"));
    assert!(malformed("{\"sdp\":\"v=0\"}").contains("line 1 is not SDP"));
    assert!(malformed("v=0\r\nhello\r\n").contains("line 2"));
    assert!(malformed("v=0\r\na=\u{1b}[2J\r\n").contains("control character"));
    assert!(malformed("v=0\r\ns=-\r\n").contains("ice-ufrag"));
    assert!(malformed(&"v=0\r\n".repeat(20_000)).contains("KiB"));
    assert!(malformed(&format!("v=0\r\n{}", "a=x\n".repeat(3_000))).contains("lines"));
    assert!(malformed(&format!("v=0\r\n{}", "m=x\r\n".repeat(17))).contains("media sections"));
    let unencrypted = OBS.replace("a=fingerprint", "a=x");
    assert!(malformed(&unencrypted).contains("encrypted"));
    let unnamed = OBS.replace("a=mid:1\r\n", "");
    assert!(malformed(&unnamed).contains("a=mid"));
    let same = OBS.replace("a=mid:1\r\n", "a=mid:0\r\n");
    assert!(malformed(&same).contains("same a=mid"));
}

#[test]
fn candidates_in_an_offer_are_bounded() {
    let candidate = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n";
    let sdp = format!("{OBS}{}", candidate.repeat(500));
    let offer = read(&sdp);
    assert_eq!(
        lines_with(offer.for_peer(), "a=candidate").len(),
        MOST_CANDIDATES
    );
}

#[test]
fn candidates_with_names_do_not_spoil_the_offer() {
    let candidate =
        "a=candidate:1 1 udp 2122260223 0f3c-41aa.local 61764 typ host generation 0\r\n";
    let offer = read(&format!("{OBS}{candidate}"));
    answer(&offer);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_offer_never_panics(
        client in 0_usize..5,
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        put in "[ -~\r\n]{0,30}",
    ) {
        let sdp = [CHROMIUM, SIMULCAST, OBS, FFMPEG, GSTREAMER][client];
        let from = at.index(sdp.len());
        let to = (from + length).min(sdp.len());
        let damaged = format!("{}{put}{}", &sdp[..from], &sdp[to..]);
        if let Ok(offer) = Offer::read(&damaged)
            && let Ok(sdp) = SdpOffer::from_sdp_string(offer.for_peer())
        {
            let mut rtc = RtcConfig::new().build(Instant::now());
            let _ = rtc.sdp_api().accept_offer(sdp);
        }
    }
}
