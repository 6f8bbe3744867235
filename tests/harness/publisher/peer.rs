//! The publisher's signalling and peer connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use livekit_api::signal_client::{SignalClient, SignalEvent, SignalOptions};
use livekit_protocol as proto;
use proto::{signal_request as request, signal_response as response};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::Direction;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use testcard::media::VideoCodec;
use testcard::pacing::ContentClock;
use testcard::{CameraOptions, PublisherOptions, PublisherStats, Track};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

use super::track::PublishedTrack;
use super::{Command, Request, Source};
use crate::livekit::PROXY_IP;

/// What a publisher's thread needs.
pub struct Job {
    pub url: String,
    pub token: String,
    pub options: PublisherOptions,
    pub stats: Arc<PublisherStats>,
}

type Ready = Option<oneshot::Sender<Result<(), String>>>;

/// Joins and publishes until it is told to end or the server ends it.
pub async fn publish(
    job: Job,
    mut requests: mpsc::Receiver<Request>,
    ready: oneshot::Sender<Result<(), String>>,
) -> Result<(), String> {
    let mut ready: Ready = Some(ready);
    let result = match Peer::join(job).await {
        Ok((mut peer, events)) => peer.run(events, &mut requests, &mut ready).await,
        Err(error) => Err(error),
    };
    if let Some(ready) = ready.take() {
        let reason = result.clone().err();
        let _ = ready.send(Err(reason.unwrap_or_else(|| "it was sent away".into())));
    }
    result
}

type SignalEvents = mpsc::UnboundedReceiver<SignalEvent>;

/// Where an offer stands.
enum Negotiation {
    Stable,
    /// Waiting for the server's names of announced tracks.
    Announced,
    Offered(Box<SdpPendingOffer>),
}

struct Peer {
    options: PublisherOptions,
    stats: Arc<PublisherStats>,
    signal: SignalClient,
    socket: UdpSocket,
    address: SocketAddr,
    rtc: Rtc,
    clock: ContentClock,
    tracks: Vec<PublishedTrack>,
    negotiation: Negotiation,
    /// Something changed while an offer was under way.
    offer_again: bool,
    early_candidates: Vec<String>,
    connected: bool,
}

impl Peer {
    async fn join(job: Job) -> Result<(Self, SignalEvents), String> {
        let mut options = SignalOptions::default();
        options.auto_subscribe = false;
        options.client_capabilities = vec![];
        options.client_protocol = 0;
        options.region_failover = false;
        let (signal, _, events) = SignalClient::connect(&job.url, &job.token, options, None)
            .await
            .map_err(|error| error.to_string())?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| error.to_string())?;
        let address = socket.local_addr().map_err(|error| error.to_string())?;
        let codec = job.options.video_codec();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(codec == VideoCodec::Vp8)
            .enable_h264(codec == VideoCodec::H264)
            .set_rtcp_report_interval_audio(Duration::from_secs(1))
            .set_rtcp_report_interval_video(Duration::from_secs(1))
            .set_send_buffer_video(2_000)
            .build(Instant::now());
        let host = Candidate::host(address, "udp").map_err(|error| error.to_string())?;
        rtc.add_local_candidate(host);
        let clock = ContentClock::new(Instant::now(), SystemTime::now(), job.options.phase);
        let mut peer = Self {
            options: job.options,
            stats: job.stats,
            signal,
            socket,
            address,
            rtc,
            clock,
            tracks: vec![],
            negotiation: Negotiation::Stable,
            offer_again: false,
            early_candidates: vec![],
            connected: false,
        };
        for (source, camera) in [
            (Source::Camera, peer.options.camera),
            (Source::ScreenShare, peer.options.screen_share),
        ] {
            if camera.is_some() {
                peer.add(source, camera).await?;
            }
        }
        if peer.options.microphone {
            peer.add(Source::Microphone, None).await?;
        }
        Ok((peer, events))
    }

    /// Announces a track; the offer follows when the server has named it.
    async fn add(&mut self, source: Source, camera: Option<CameraOptions>) -> Result<(), String> {
        let track = match camera {
            Some(camera) => Track::video(&camera, self.clock),
            None => Track::microphone(&self.options, self.clock),
        };
        let track = PublishedTrack::new(source, track.map_err(|error| error.to_string())?);
        let announcement = track.announcement();
        self.tracks.push(track);
        if matches!(self.negotiation, Negotiation::Stable) {
            self.negotiation = Negotiation::Announced;
        }
        self.send(request::Message::AddTrack(announcement)).await;
        Ok(())
    }

    async fn send(&self, message: request::Message) {
        self.signal.send(message).await;
    }

    async fn run(
        &mut self,
        mut events: SignalEvents,
        requests: &mut mpsc::Receiver<Request>,
        ready: &mut Ready,
    ) -> Result<(), String> {
        let mut buffer = vec![0; 2_048];
        loop {
            let timeout = self.drive().await?;
            self.send_due()?;
            // Sending may have made packets: they go out before anything else.
            let timeout = self.drive().await?.min(timeout);
            if self.connected
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(Ok(()));
            }
            let next = self.tracks.iter().map(|track| track.media.next_at()).min();
            let wake = next.map_or(timeout, |next| next.min(timeout));
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    let (length, source) = received.map_err(|error| error.to_string())?;
                    self.receive(source, &buffer[..length])?;
                }
                event = events.recv() => match event {
                    Some(SignalEvent::Message(message)) => {
                        if !self.signalled(*message).await? {
                            return Ok(());
                        }
                    }
                    Some(SignalEvent::Close(reason)) => return Err(reason.into_owned()),
                    None => return Err("signalling ended".into()),
                },
                command = requests.recv() => match command {
                    Some((command, done)) => {
                        let goes_on = self.command(command).await?;
                        let _ = done.send(());
                        if !goes_on {
                            return Ok(());
                        }
                    }
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(wake.into()) => {
                    self.rtc
                        .handle_input(Input::Timeout(Instant::now()))
                        .map_err(|error| error.to_string())?;
                }
            }
        }
    }

    /// Lets the peer connection send and tell; returns when it wants to be woken.
    async fn drive(&mut self) -> Result<Instant, String> {
        loop {
            match self.rtc.poll_output().map_err(|error| error.to_string())? {
                Output::Timeout(time) => return Ok(time),
                Output::Transmit(packet) => {
                    // A full socket loses packets, as any network does.
                    let _ = self
                        .socket
                        .send_to(&packet.contents, packet.destination)
                        .await;
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => {
                    // The loop holds a keyframe each half second: the next one is the answer.
                    self.stats.keyframe_requests.fetch_add(1, Ordering::Relaxed);
                }
                Output::Event(_) => {}
            }
            if !self.rtc.is_alive() {
                return Err("the peer connection died".into());
            }
        }
    }

    fn send_due(&mut self) -> Result<(), String> {
        let now = Instant::now();
        for track in &mut self.tracks {
            track
                .media
                .send_due(&mut self.rtc, now, self.connected, &self.stats)?;
        }
        Ok(())
    }

    fn receive(&mut self, source: SocketAddr, packet: &[u8]) -> Result<(), String> {
        let Ok(contents) = packet.try_into() else {
            return Ok(());
        };
        let input = Input::Receive(
            Instant::now(),
            Receive {
                proto: Protocol::Udp,
                source,
                destination: self.address,
                contents,
            },
        );
        if self.rtc.accepts(&input) {
            self.rtc
                .handle_input(input)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Handles a message of the server; `false` when it ends the connection.
    async fn signalled(&mut self, message: response::Message) -> Result<bool, String> {
        match message {
            response::Message::TrackPublished(published) => {
                let sid = published.track.map(|track| track.sid);
                if let Some(track) = self
                    .tracks
                    .iter_mut()
                    .find(|track| track.client_id == published.cid)
                {
                    track.sid = sid;
                }
                if self.tracks.iter().all(|track| track.sid.is_some()) {
                    self.offer().await?;
                }
            }
            response::Message::Answer(answer) => self.answered(&answer.sdp).await?,
            response::Message::Trickle(trickle)
                if trickle.target == proto::SignalTarget::Publisher as i32 =>
            {
                let init: serde_json::Value =
                    serde_json::from_str(&trickle.candidate_init).unwrap_or_default();
                if let Some(candidate) = init["candidate"].as_str().filter(|text| !text.is_empty())
                {
                    self.remote_candidate(candidate.to_owned());
                }
            }
            response::Message::Leave(leave) => {
                log::info!("{}: left: {:?}", self.options.identity, leave.reason());
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Offers the tracks that the peer connection does not hold yet.
    async fn offer(&mut self) -> Result<(), String> {
        if matches!(self.negotiation, Negotiation::Offered(_)) {
            self.offer_again = true;
            return Ok(());
        }
        let mut changes = self.rtc.sdp_api();
        let new = self.tracks.iter_mut();
        for track in new.filter(|track| track.media.mid.is_none()) {
            track.media.mid = Some(changes.add_media(
                track.media.kind(),
                Direction::SendOnly,
                None,
                Some(track.client_id.clone()),
                track.media.simulcast(),
            ));
        }
        let offer = changes.apply();
        self.send_offer(offer).await;
        Ok(())
    }

    async fn send_offer(&mut self, offer: Option<(str0m::change::SdpOffer, SdpPendingOffer)>) {
        let Some((offer, pending)) = offer else {
            self.negotiation = Negotiation::Stable;
            return;
        };
        self.negotiation = Negotiation::Offered(Box::new(pending));
        self.send(request::Message::Offer(proto::SessionDescription {
            r#type: "offer".into(),
            sdp: offer.to_sdp_string(),
            ..Default::default()
        }))
        .await;
    }

    async fn answered(&mut self, sdp: &str) -> Result<(), String> {
        let Negotiation::Offered(pending) =
            std::mem::replace(&mut self.negotiation, Negotiation::Stable)
        else {
            return Ok(());
        };
        let answer = SdpAnswer::from_sdp_string(&route(sdp)).map_err(|error| error.to_string())?;
        self.rtc
            .sdp_api()
            .accept_answer(*pending, answer)
            .map_err(|error| error.to_string())?;
        for candidate in std::mem::take(&mut self.early_candidates) {
            self.remote_candidate(candidate);
        }
        if std::mem::take(&mut self.offer_again) {
            self.offer().await?;
        }
        Ok(())
    }

    fn remote_candidate(&mut self, text: String) {
        if matches!(
            self.negotiation,
            Negotiation::Offered(_) | Negotiation::Announced
        ) && !self.connected
        {
            self.early_candidates.push(text);
            return;
        }
        match Candidate::from_sdp_string(&route(&text)) {
            Ok(candidate) => self.rtc.add_remote_candidate(candidate),
            Err(error) => log::debug!("candidate {text}: {error}"),
        }
    }

    /// Carries out a command; `false` when it is the last.
    async fn command(&mut self, command: Command) -> Result<bool, String> {
        match command {
            Command::Mute(source, muted) => {
                let mut sid = None;
                for track in self
                    .tracks
                    .iter_mut()
                    .filter(|track| track.source == source)
                {
                    track.media.muted = muted;
                    sid.clone_from(&track.sid);
                }
                if let Some(sid) = sid {
                    self.send(request::Message::Mute(proto::MuteTrackRequest {
                        sid,
                        muted,
                    }))
                    .await;
                }
            }
            Command::Unpublish(source) => {
                let mids: Vec<_> = self
                    .tracks
                    .iter()
                    .filter(|track| track.source == source)
                    .filter_map(|track| track.media.mid)
                    .collect();
                self.tracks.retain(|track| track.source != source);
                let mut changes = self.rtc.sdp_api();
                for mid in mids {
                    changes.stop_media(mid);
                }
                let offer = changes.apply();
                self.send_offer(offer).await;
            }
            Command::Publish(source, camera) => self.add(source, camera).await?,
            Command::Leave => {
                self.send(request::Message::Leave(proto::LeaveRequest {
                    reason: proto::DisconnectReason::ClientInitiated as i32,
                    ..Default::default()
                }))
                .await;
                self.signal.close().await;
                self.rtc.disconnect();
                return Ok(false);
            }
            Command::Vanish => return Ok(false),
        }
        Ok(true)
    }
}

/// Media of publishers goes straight to the server, past its proxy.
fn route(text: &str) -> String {
    text.replace(PROXY_IP, "127.0.0.1")
}
