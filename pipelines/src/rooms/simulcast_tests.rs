use super::*;

/// A sender of two layers, 30 frames a second each, whose RTP clocks have nothing in common.
struct Sender {
    simulcast: Simulcast,
    now: Instant,
    tick: u32,
    /// What was forwarded: layer and RTP time.
    forwarded: Vec<(Rid, u32)>,
    /// Key frames are sent only when asked for.
    keyframe: Option<Rid>,
    paused: Option<Rid>,
}

const CLOCKS: [u32; 2] = [1_000, u32::MAX - 50_000];
const HEIGHTS: [u32; 2] = [180, 720];

fn rids() -> [Rid; 2] {
    [Rid::from("q"), Rid::from("f")]
}

impl Sender {
    fn new() -> Self {
        Self {
            simulcast: Simulcast::default(),
            now: Instant::now(),
            tick: 0,
            forwarded: Vec::new(),
            keyframe: None,
            paused: None,
        }
    }

    fn rtp(&self, layer: usize) -> u32 {
        CLOCKS[layer].wrapping_add(self.tick * 3_000)
    }

    fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            for (layer, rid) in rids().into_iter().enumerate() {
                if self.paused == Some(rid) {
                    continue;
                }
                let keyframe = self.tick == 0 || self.keyframe == Some(rid);
                if keyframe {
                    self.keyframe = None;
                }
                let decision = self.simulcast.frame(
                    LayerFrame {
                        rid,
                        keyframe,
                        rtp: self.rtp(layer),
                        bytes: 1_000 * (layer + 1),
                        height: keyframe.then_some(HEIGHTS[layer]),
                    },
                    self.now,
                );
                if let Some(rtp) = decision.forward {
                    self.forwarded.push((rid, rtp));
                }
                if decision.ask.is_some() {
                    self.keyframe = decision.ask;
                }
            }
            self.tick += 1;
            self.now += Duration::from_micros(33_333);
        }
    }

    fn report(&mut self) {
        for (layer, rid) in rids().into_iter().enumerate() {
            let ntp_ns = 1_700_000_000_000_000_000 + i64::from(self.tick) * 33_333_333;
            self.simulcast.report(rid, self.rtp(layer), ntp_ns);
        }
    }

    /// Ticks between forwarded frames.
    fn steps(&self) -> Vec<i32> {
        let pairs = self.forwarded.windows(2);
        pairs
            .map(|pair| pair[1].1.wrapping_sub(pair[0].1).cast_signed())
            .collect()
    }

    fn last_layer(&self) -> Rid {
        self.forwarded.last().expect("frames").0
    }
}

#[test]
fn the_largest_layer_is_forwarded() {
    let mut sender = Sender::new();
    sender.run(60);
    assert_eq!(sender.last_layer(), rids()[1]);
    assert_eq!(sender.simulcast.heights(), [180, 720]);
    assert_eq!(sender.simulcast.name(), "high");
    // One layer at a time, in a time that only goes on.
    assert!(
        sender.steps().iter().all(|step| *step > 0),
        "{:?}",
        sender.steps()
    );
    assert!(sender.forwarded.len() <= 61);
}

#[test]
fn a_layer_that_is_enough_is_chosen_and_the_time_goes_on() {
    let mut sender = Sender::new();
    sender.run(60);
    sender.report();
    sender.simulcast.want_height(Some(190));
    sender.run(60);
    assert_eq!(sender.last_layer(), rids()[0]);
    assert_eq!(sender.simulcast.name(), "low");
    sender.simulcast.want_height(Some(400));
    sender.run(60);
    assert_eq!(sender.last_layer(), rids()[1]);
    // By the reports the layers fit to the tick; two pictures of one moment follow one another.
    assert!(sender.steps().iter().all(|step| *step > 0));
    let (first, last) = (
        sender.forwarded[0].1,
        sender.forwarded.last().expect("frames").1,
    );
    assert_eq!(last.wrapping_sub(first), 179 * 3_000);
}

#[test]
fn a_layer_that_is_sent_no_more_is_replaced_and_taken_up_again() {
    let mut sender = Sender::new();
    sender.run(60);
    sender.paused = Some(rids()[1]);
    sender.run(120);
    assert_eq!(sender.last_layer(), rids()[0]);
    sender.paused = None;
    sender.run(60);
    assert_eq!(sender.last_layer(), rids()[1]);
    assert!(sender.steps().iter().all(|step| *step > 0));
    let whole: i64 = sender.steps().iter().map(|step| i64::from(*step)).sum();
    let passed = i64::from(sender.tick) * 3_000;
    assert!((whole - passed).abs() < 9_000, "{whole} of {passed} ticks");
}

#[test]
fn only_key_frames_begin_a_layer() {
    let mut simulcast = Simulcast::default();
    let frame = LayerFrame {
        rid: rids()[0],
        keyframe: false,
        rtp: 1,
        bytes: 1,
        height: None,
    };
    let decision = simulcast.frame(frame, Instant::now());
    assert_eq!(decision.forward, None);
    assert_eq!(decision.ask, Some(rids()[0]));
}

#[test]
fn reports_are_told_in_the_time_of_what_is_forwarded() {
    let mut sender = Sender::new();
    sender.run(60);
    let rtp = sender.rtp(1).wrapping_sub(3_000);
    let told = sender.simulcast.report(rids()[1], rtp, 5);
    assert_eq!(told, sender.forwarded.last().map(|(_, rtp)| *rtp));
    assert_eq!(sender.simulcast.report(rids()[0], 5, 5), None);
    assert_eq!(sender.simulcast.report(Rid::from("x"), 5, 5), None);
}

#[test]
fn reports_that_make_no_sense_do_not_move_the_time() {
    let mut sender = Sender::new();
    sender.run(60);
    sender.simulcast.report(rids()[0], 7, i64::MAX);
    sender.simulcast.report(rids()[1], 7, i64::MIN);
    sender.simulcast.want_height(Some(180));
    sender.run(30);
    assert_eq!(sender.last_layer(), rids()[0]);
    assert!(
        sender.steps()[5..]
            .iter()
            .all(|step| (1..9_000).contains(step))
    );
}

#[test]
fn layers_that_a_stranger_makes_up_are_bounded() {
    let mut simulcast = Simulcast::default();
    let now = Instant::now();
    for number in 0..100 {
        let frame = LayerFrame {
            rid: Rid::from(number.to_string().as_str()),
            keyframe: true,
            rtp: number,
            bytes: 10,
            height: Some(100 + number),
        };
        simulcast.frame(frame, now);
    }
    assert!(simulcast.heights().len() <= MOST_LAYERS);
}
