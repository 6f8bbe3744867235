//! The peer connection of a WHIP publisher.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use str0m::change::SdpAnswer;
use str0m::media::Direction;
use str0m::net::{Receive, TcpType};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::sync::mpsc;

use super::client::WhipClient;
use super::transport::Transport;
use super::{CONNECT_TIMEOUT, Command, Job, Ready, Request, Route, WhipError};
use crate::media::{MediaError, VideoCodec};
use crate::pacing::ContentClock;
use crate::{PublisherOptions, PublisherStats, Track};

/// Publishes until it is told to end or the connection dies.
pub(super) async fn publish(
    job: Job,
    stats: Arc<PublisherStats>,
    mut requests: mpsc::Receiver<Request>,
    ready: Ready,
) -> Result<(), WhipError> {
    let tracks = tracks(&job.options);
    let connected = match tracks {
        Ok(tracks) => Peer::connect(&job, tracks, stats).await,
        Err(error) => Err(error.into()),
    };
    let (mut peer, client, resource) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            let _ = ready.send(Err(error));
            return Ok(());
        }
    };
    if ready.send(Ok(resource.clone())).is_err() {
        return Ok(());
    }
    loop {
        let Some((command, done)) = peer.until_told(&mut requests).await? else {
            return Ok(());
        };
        match command {
            Command::Mute(kind, muted) => {
                let tracks = peer.tracks.iter_mut();
                tracks
                    .filter(|track| track.kind() == kind)
                    .for_each(|track| track.muted = muted);
                let _ = done.send(());
            }
            Command::Vanish => {
                let _ = done.send(());
                return Ok(());
            }
            Command::Leave => {
                let deleted = client.delete(&resource).await;
                let _ = done.send(());
                return deleted;
            }
        }
    }
}

/// The media of a publisher, ready to be sent.
fn tracks(options: &PublisherOptions) -> Result<Vec<Track>, MediaError> {
    let clock = ContentClock::new(Instant::now(), SystemTime::now(), options.phase);
    let mut tracks = Vec::new();
    if options.microphone {
        tracks.push(Track::microphone(options, clock)?);
    }
    for camera in options.camera.iter().chain(&options.screen_share) {
        tracks.push(Track::video(camera, clock)?);
    }
    Ok(tracks)
}

struct Peer {
    rtc: Rtc,
    transport: Transport,
    tracks: Vec<Track>,
    stats: Arc<PublisherStats>,
    connected: bool,
    buffer: Vec<u8>,
}

impl Peer {
    /// Posts an offer and waits until media can flow.
    async fn connect(
        job: &Job,
        mut tracks: Vec<Track>,
        stats: Arc<PublisherStats>,
    ) -> Result<(Self, WhipClient, super::Resource), WhipError> {
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
        let udp = match job.route {
            Route::Udp => Some(Transport::udp().await?),
            Route::Tcp => None,
        };
        if let Some(udp) = &udp {
            let candidate = udp.candidate().map_err(WhipError::Connection)?;
            rtc.add_local_candidate(candidate);
        }
        let mut changes = rtc.sdp_api();
        let stream = Some(job.options.identity.clone());
        for track in &mut tracks {
            track.mid = Some(changes.add_media(
                track.kind(),
                Direction::SendOnly,
                stream.clone(),
                None,
                track.simulcast(),
            ));
        }
        let (offer, pending) = changes
            .apply()
            .ok_or_else(|| WhipError::Answer("nothing is offered".to_owned()))?;
        let client = WhipClient::new(job.endpoint.clone())?;
        let (resource, sdp) = client.post(offer.to_sdp_string()).await?;
        let answer = SdpAnswer::from_sdp_string(&sdp);
        let answer = answer.map_err(|error| WhipError::Answer(error.to_string()))?;
        rtc.sdp_api()
            .accept_answer(pending, answer)
            .map_err(|error| WhipError::Answer(error.to_string()))?;
        let transport = match udp {
            Some(udp) => udp,
            None => {
                let transport = dial(&sdp).await?;
                let candidate = transport.candidate().map_err(WhipError::Connection)?;
                rtc.add_local_candidate(candidate);
                transport
            }
        };
        let mut peer = Self {
            rtc,
            transport,
            tracks,
            stats,
            connected: false,
            buffer: Vec::new(),
        };
        let connecting = async {
            while !peer.connected {
                peer.step().await?;
            }
            Ok(())
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(())) => Ok((peer, client, resource)),
            failed => {
                let _ = client.delete(&resource).await;
                let late = format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
                Err(failed.map_or(WhipError::Connection(late), |ended| {
                    ended.err().unwrap_or(WhipError::Thread)
                }))
            }
        }
    }

    /// Publishes until there is a command; `None` when nobody can give one any more.
    async fn until_told(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<Option<Request>, WhipError> {
        loop {
            tokio::select! {
                biased;
                request = requests.recv() => return Ok(request),
                stepped = self.step() => stepped?,
            }
        }
    }

    /// Sends what is due, then waits until something happens. May be dropped while it waits.
    async fn step(&mut self) -> Result<(), WhipError> {
        let timeout = self.drive().await?;
        let now = Instant::now();
        for track in &mut self.tracks {
            track
                .send_due(&mut self.rtc, now, self.connected, &self.stats)
                .map_err(WhipError::Connection)?;
        }
        // Sending may have made packets: they go out before anything else.
        let timeout = self.drive().await?.min(timeout);
        let next = self.tracks.iter().map(Track::next_at).min();
        let wake = next.map_or(timeout, |next| next.min(timeout));
        tokio::select! {
            received = self.transport.receive(&mut self.buffer) => {
                let from = received.map_err(|error| WhipError::Connection(error.to_string()))?;
                self.received(from)
            }
            () = tokio::time::sleep_until(wake.into()) => self
                .rtc
                .handle_input(Input::Timeout(Instant::now()))
                .map_err(|error| WhipError::Connection(error.to_string())),
        }
    }

    fn received(&mut self, source: std::net::SocketAddr) -> Result<(), WhipError> {
        let Ok(contents) = self.buffer.as_slice().try_into() else {
            return Ok(());
        };
        let input = Input::Receive(
            Instant::now(),
            Receive {
                proto: self.transport.protocol(),
                source,
                destination: self.transport.local(),
                contents,
            },
        );
        if !self.rtc.accepts(&input) {
            return Ok(());
        }
        self.rtc
            .handle_input(input)
            .map_err(|error| WhipError::Connection(error.to_string()))
    }

    /// Lets the peer connection send and tell; returns when it wants to be woken.
    async fn drive(&mut self) -> Result<Instant, WhipError> {
        loop {
            let output = self.rtc.poll_output();
            match output.map_err(|error| WhipError::Connection(error.to_string()))? {
                Output::Timeout(time) => return Ok(time),
                Output::Transmit(packet) => {
                    self.transport
                        .send(packet.destination, &packet.contents)
                        .await;
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => {
                    // The loop holds a keyframe each half second: the next one is the answer.
                    let requests = &self.stats.keyframe_requests;
                    requests.fetch_add(1, Ordering::Relaxed);
                }
                Output::Event(Event::IceConnectionStateChange(
                    IceConnectionState::Disconnected,
                )) => return Err(WhipError::Connection("the server is silent".to_owned())),
                Output::Event(_) => {}
            }
            if !self.rtc.is_alive() {
                return Err(WhipError::Connection("the server closed it".to_owned()));
            }
        }
    }
}

/// Connects to a TCP candidate of an answer.
async fn dial(sdp: &str) -> Result<Transport, WhipError> {
    let candidates = sdp
        .lines()
        .filter_map(|line| line.trim().strip_prefix("a="))
        .filter(|line| line.starts_with("candidate:"))
        .filter_map(|line| Candidate::from_sdp_string(line).ok());
    let mut passive = candidates
        .filter(|candidate| candidate.tcptype() == Some(TcpType::Passive))
        .map(|candidate| candidate.addr());
    let remote = passive
        .next()
        .ok_or_else(|| WhipError::Connection("the server takes no media over TCP".to_owned()))?;
    Ok(Transport::tcp(remote).await?)
}
