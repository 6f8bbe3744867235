//! The sound of a room on its way to the mix.

use super::RenderControl;
use super::decode::DecodeWorker;
use super::room::Room;
use super::sound::Stereo;
use super::warnings::{warn_decoder, warn_left_out};

/// Decodes the sound of all tracks for the mix up to sample `until`.
pub fn decode(room: &mut Room, worker: &mut DecodeWorker, control: &RenderControl, until: u64) {
    let (mut tasks, mut numbers) = (Vec::new(), Vec::new());
    room.each_audio(|number, track, placing| {
        match track.due(until, placing) {
            Ok(task) => {
                numbers.extend(task.iter().map(|_| number));
                tasks.extend(task);
            }
            Err(error) => warn_decoder(control, track.info(), &error),
        }
        let left_out = track.take_left_out();
        warn_left_out(control, track.info(), left_out);
    });
    for (number, outcome) in numbers.into_iter().zip(worker.run(tasks)) {
        if let Some(track) = room.audio.get_mut(&number)
            && let Some(error) = track.decoded(outcome)
        {
            warn_decoder(control, track.info(), &error);
        }
    }
}

/// Lets the next `count` samples of the mix, up to sample `until`, pass without decoding them.
pub fn pass_over(room: &mut Room, control: &RenderControl, until: u64, count: u64) {
    let mut nothing: Vec<Stereo> = vec![[0.0; 2]; count as usize];
    room.each_audio(|_, track, placing| {
        track.skip(until, placing);
        let left_out = track.take_left_out();
        warn_left_out(control, track.info(), left_out);
        track.mix_into(&mut nothing);
    });
    room.forget_ended();
}
