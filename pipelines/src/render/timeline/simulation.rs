//! Publishers with drifting clocks, jitter and wandering reports, seen through the clocks that
//! place their frames.

use super::ParticipantClock;
use crate::log::{Codec, SenderReport, TrackInfo, TrackKind, TrackSource};

const AUDIO: u16 = 1;
const VIDEO: u16 = 2;
const PUBLISHER_EPOCH: i64 = 1_789_000_000_000_000_000;
const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// A small generator with the same numbers on every run.
struct Numbers(u64);

impl Numbers {
    /// Evenly between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How a publisher and the way to it behave. Times in ms.
#[derive(Clone, Copy)]
struct Publisher {
    /// The publisher's clocks against ours, parts per million.
    ppm: f64,
    network: f64,
    jitter: f64,
    /// What encoding adds to the delay of pictures.
    encoding: f64,
    report_wander: f64,
    first_audio_report: f64,
    first_video_report: f64,
    /// Chance of a report that is off by a second.
    wild_reports: f64,
    seed: u64,
}

const ORDINARY: Publisher = Publisher {
    ppm: 0.0,
    network: 40.0,
    jitter: 20.0,
    encoding: 25.0,
    report_wander: 14.0,
    first_audio_report: 3_000.0,
    first_video_report: 2_000.0,
    wild_reports: 0.0,
    seed: 1,
};

/// What a run of the simulation found, from 5 s after joining. In ms.
struct Outcome {
    /// Sound after picture, sampled twice a second.
    offsets: Vec<f64>,
    /// How much later than with the least delay sound was placed, the same.
    lags: Vec<f64>,
}

fn info(track: u16, kind: TrackKind, clock_rate: u32) -> TrackInfo {
    TrackInfo {
        track,
        id: format!("TR_{track}"),
        participant: "PA_1".into(),
        kind,
        source: TrackSource::Unknown,
        codec: Codec::Unknown,
        clock_rate,
        muted: false,
    }
}

/// A happening at a moment of arrival.
enum Happening {
    Frame(u16, i64),
    Report(SenderReport),
}

fn run(publisher: Publisher, seconds: i64) -> Outcome {
    let mut clock = ParticipantClock::default();
    clock.add_track(&info(AUDIO, TrackKind::Audio, 48_000));
    clock.add_track(&info(VIDEO, TrackKind::Video, 90_000));
    let mut numbers = Numbers(0x5DEE_CE66 + publisher.seed);
    let ticks = |time: i64, rate: i64, start: i64| {
        let own = time as f64 * (1.0 + publisher.ppm * 1e-6);
        start + (own / 1e9 * rate as f64) as i64
    };
    let audio_rtp = |time: i64| ticks(time, 48_000, 4_000_000_000);
    let video_rtp = |time: i64| ticks(time, 90_000, 123_456);
    let mut outcome = Outcome {
        offsets: Vec::new(),
        lags: Vec::new(),
    };
    let mut pending: Vec<(i64, Happening)> = Vec::new();
    for step in 0..seconds * 50 {
        let time = step * 20 * MS;
        let mut delay = |extra: f64| {
            let jitter = -(1.0 - numbers.next()).ln() * publisher.jitter / 3.0;
            ((publisher.network + extra + jitter.min(200.0)) * 1e6) as i64
        };
        pending.push((time + delay(0.0), Happening::Frame(AUDIO, audio_rtp(time))));
        if step % 3 == 0 {
            let arrival = time + delay(publisher.encoding);
            pending.push((arrival, Happening::Frame(VIDEO, video_rtp(time))));
        }
        for (track, first, interval) in [
            (AUDIO, publisher.first_audio_report, 5_000),
            (VIDEO, publisher.first_video_report, 1_000),
        ] {
            let since = time / MS - first as i64;
            if since < 0 || since % interval != 0 {
                continue;
            }
            let wander = if track == AUDIO {
                publisher.report_wander
            } else {
                0.5
            };
            let wild = if numbers.next() < publisher.wild_reports {
                1e9
            } else {
                0.0
            };
            let own = time as f64 * (1.0 + publisher.ppm * 1e-6);
            let ntp_ns =
                PUBLISHER_EPOCH + (own + (numbers.next() * 2.0 - 1.0) * wander * 1e6 + wild) as i64;
            let rtp = if track == AUDIO {
                audio_rtp(time)
            } else {
                video_rtp(time)
            };
            let report = SenderReport { track, rtp, ntp_ns };
            pending.push((time + 41 * MS, Happening::Report(report)));
        }
        if step % 10 == 9 {
            // The log is in order of arrival; nothing older than this comes any more.
            pending.sort_by_key(|&(arrival, _)| arrival);
            let ready = pending.partition_point(|&(arrival, _)| arrival <= time);
            for (arrival, happening) in pending.drain(..ready) {
                match happening {
                    Happening::Frame(track, rtp) => clock.arrival(track, arrival, rtp),
                    Happening::Report(report) => clock.report(report, arrival),
                }
            }
        }
        // A render looks at the moment one and a half seconds ago.
        if step % 25 == 24 && time > 7 * SECOND {
            let shown = time - 1_500 * MS;
            let audio = clock.place(AUDIO, audio_rtp(shown)).unwrap();
            let video = clock.place(VIDEO, video_rtp(shown)).unwrap();
            outcome.offsets.push((audio - video) as f64 / 1e6);
            let least = shown + (publisher.network * 1e6) as i64;
            outcome.lags.push((audio - least) as f64 / 1e6);
        }
    }
    outcome
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn assert_in_sync(outcome: &Outcome, what: &str) {
    let (median, high) = (
        percentile(&outcome.offsets, 0.5),
        percentile(&outcome.offsets, 0.95),
    );
    assert!(
        median < 25.0 && high < 45.0,
        "{what}: median {median} ms, p95 {high} ms"
    );
}

#[test]
fn sound_and_picture_meet_from_five_seconds_on() {
    for seed in 0..60 {
        let outcome = run(Publisher { seed, ..ORDINARY }, 30);
        assert_in_sync(&outcome, &format!("seed {seed}"));
    }
}

#[test]
fn a_drifting_publisher_stays_in_sync_and_on_time_for_ten_hours() {
    for ppm in [-200.0, 200.0] {
        let outcome = run(Publisher { ppm, ..ORDINARY }, 36_000);
        assert_in_sync(&outcome, &format!("{ppm} ppm"));
        let last_hour = &outcome.offsets[outcome.offsets.len() - 7_200..];
        assert!(
            percentile(last_hour, 0.95) < 15.0,
            "{ppm} ppm: {}",
            percentile(last_hour, 0.95)
        );
        let lag = percentile(&outcome.lags[outcome.lags.len() - 7_200..], 0.99);
        assert!(lag < 25.0, "{ppm} ppm: {lag} ms behind at the end");
    }
}

#[test]
fn wild_reports_do_no_harm() {
    let outcome = run(
        Publisher {
            wild_reports: 0.05,
            ..ORDINARY
        },
        600,
    );
    assert_in_sync(&outcome, "wild reports");
    assert!(
        percentile(&outcome.offsets, 1.0) < 80.0,
        "{}",
        percentile(&outcome.offsets, 1.0)
    );
}

#[test]
fn heavy_jitter_is_borne() {
    let outcome = run(
        Publisher {
            jitter: 120.0,
            ..ORDINARY
        },
        120,
    );
    assert_in_sync(&outcome, "jitter");
}

#[test]
fn publishers_without_reports_are_placed_by_arrival() {
    let outcome = run(
        Publisher {
            first_audio_report: 1e9,
            first_video_report: 1e9,
            ..ORDINARY
        },
        60,
    );
    assert!(percentile(&outcome.offsets, 0.95) < 45.0);
    assert!(percentile(&outcome.lags, 0.95) < 25.0);
}

#[test]
fn a_late_first_report_is_borne() {
    let outcome = run(
        Publisher {
            first_audio_report: 9_000.0,
            ..ORDINARY
        },
        60,
    );
    assert_in_sync(&outcome, "late report");
}

#[test]
fn a_timeline_that_stood_still_goes_on_in_the_present() {
    // A sender that counts samples does not count while it is muted.
    let mut clock = ParticipantClock::default();
    clock.add_track(&info(AUDIO, TrackKind::Audio, 48_000));
    let packet = |clock: &mut ParticipantClock, step: i64, arrival: i64| {
        clock.arrival(AUDIO, arrival, step * 960);
    };
    for step in 0..500 {
        packet(&mut clock, step, 40 * MS + step * 20 * MS);
        if step == 100 {
            let report = SenderReport {
                track: AUDIO,
                rtp: 96_000,
                ntp_ns: PUBLISHER_EPOCH,
            };
            clock.report(report, 2_041 * MS);
        }
    }
    let silence = 30 * SECOND;
    for step in 500..530 {
        packet(&mut clock, step, 40 * MS + step * 20 * MS + silence);
    }
    let placed = clock.place(AUDIO, 525 * 960).unwrap();
    let expected = 40 * MS + 525 * 20 * MS + silence;
    assert!(
        (placed - expected).abs() < 5 * MS,
        "{}",
        (placed - expected) / MS
    );
}

#[test]
fn a_stall_of_the_network_does_not_shift_the_timeline() {
    let mut clock = ParticipantClock::default();
    clock.add_track(&info(AUDIO, TrackKind::Audio, 48_000));
    for step in 0..500i64 {
        let sent = step * 20 * MS;
        // Nothing arrives for two seconds, then all of it at once.
        let stalled = (4 * SECOND..6 * SECOND).contains(&sent);
        let arrival = if stalled {
            6 * SECOND + step * 10_000
        } else {
            sent
        } + 40 * MS;
        clock.arrival(AUDIO, arrival.max(40 * MS), step * 960);
        let placed = clock.place(AUDIO, step * 960).unwrap();
        assert!((placed - sent - 40 * MS).abs() < 5 * MS, "{step}");
    }
}

#[test]
fn a_queue_on_the_way_does_not_shift_the_timeline() {
    // For three seconds everything is eight tenths of a second late: still in time for its place.
    let mut clock = ParticipantClock::default();
    clock.add_track(&info(AUDIO, TrackKind::Audio, 48_000));
    for step in 0..600i64 {
        let sent = step * 20 * MS;
        let queued = (4 * SECOND..7 * SECOND).contains(&sent);
        let arrival = sent + if queued { 800 * MS } else { 0 } + 40 * MS;
        clock.arrival(AUDIO, arrival, step * 960);
        let placed = clock.place(AUDIO, step * 960).unwrap();
        assert!((placed - sent - 40 * MS).abs() < 5 * MS, "{step}");
    }
}

#[test]
fn reports_of_another_clock_do_not_part_sound_and_picture() {
    for off in [-3_600 * SECOND, 3_600 * SECOND, i64::MIN / 2, i64::MAX / 2] {
        let mut clock = ParticipantClock::default();
        clock.add_track(&info(AUDIO, TrackKind::Audio, 48_000));
        clock.add_track(&info(VIDEO, TrackKind::Video, 90_000));
        for step in 0..1_500i64 {
            let sent = step * 20 * MS;
            clock.arrival(AUDIO, sent + 40 * MS, step * 960);
            clock.arrival(VIDEO, sent + 45 * MS, step * 1_800);
            if step % 50 == 49 {
                let report = |track, rtp, ntp_ns| SenderReport { track, rtp, ntp_ns };
                let audio = report(AUDIO, step * 960, sent + PUBLISHER_EPOCH);
                let video = report(VIDEO, step * 1_800, off.saturating_add(sent));
                clock.report(audio, sent + 45 * MS);
                clock.report(video, sent + 45 * MS);
            }
            for (track, rtp) in [(AUDIO, step * 960), (VIDEO, step * 1_800)] {
                let placed = clock.place(track, rtp).unwrap();
                assert!(
                    (placed - sent).abs() < 60 * MS,
                    "{off}: track {track} is placed at {} ms at {} ms",
                    placed / MS,
                    sent / MS
                );
            }
        }
    }
}
