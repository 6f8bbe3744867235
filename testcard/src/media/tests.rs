use super::*;

/// Decodes with the decoder of the other side of GStreamer.
fn decode(description: &str, frames: &[EncodedFrame], step_ns: u64) -> Vec<Vec<u8>> {
    let buffers = frames
        .iter()
        .enumerate()
        .map(|(index, frame)| RawBuffer {
            data: frame.data.to_vec(),
            time_ns: index as u64 * step_ns,
            duration_ns: step_ns,
        })
        .collect();
    run_pipeline(description, buffers)
        .expect("it decodes")
        .into_iter()
        .map(|frame| frame.data.to_vec())
        .collect()
}

/// Mean luma of each picture of a loop that is played twice.
fn luma_of_two_rounds(format: VideoFormat, decoder: &str) -> Vec<f64> {
    let video = VideoLoop::get(format).expect("an encoder");
    let twice: Vec<_> = video.frames.iter().chain(&video.frames).cloned().collect();
    let description = format!(
        "appsrc name=input format=time {decoder} ! videoconvert ! video/x-raw,format=I420 ! \
         appsink name=output sync=false"
    );
    let pixels = (format.width * format.height) as usize;
    decode(&description, &twice, 66_666_667)
        .iter()
        .map(|picture| picture[..pixels].iter().map(|&y| f64::from(y)).sum::<f64>() / pixels as f64)
        .collect()
}

fn assert_flashes_on_the_second(luma: &[f64], format: VideoFormat) {
    assert_eq!(luma.len() as u32, 2 * format.frame_rate * LOOP_SECONDS);
    for (index, value) in luma.iter().enumerate() {
        let flash = index as u32 % format.frame_rate < format.flash_frames();
        assert_eq!(*value > 190.0, flash, "frame {index} has luma {value}");
    }
}

#[test]
fn vp8_loop_repeats_and_flashes_on_the_second() {
    let format = VideoFormat::vp8(30);
    let luma = luma_of_two_rounds(format, "caps=video/x-vp8 ! vp8dec");
    assert_flashes_on_the_second(&luma, format);
}

#[test]
fn busy_h264_loop_repeats_and_flashes_on_the_second() {
    let format = VideoFormat {
        pattern: Pattern::Busy,
        ..VideoFormat::h264(200)
    };
    let luma = luma_of_two_rounds(
        format,
        "caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! avdec_h264",
    );
    assert_flashes_on_the_second(&luma, format);
}

#[test]
fn beep_begins_on_the_second() {
    let audio = AudioLoop::get(700).expect("an encoder");
    let rounds: Vec<_> = (0..3).flat_map(|_| audio.packets.iter().cloned()).collect();
    let decoded = decode(
        "appsrc name=input format=time \
         caps=audio/x-opus,rate=48000,channels=1,channel-mapping-family=0,stream-count=1,coupled-count=0 ! \
         opusdec ! audio/x-raw,format=S16LE,channels=1 ! appsink name=output sync=false",
        &rounds,
        20_000_000,
    )
    .concat();
    let samples: Vec<f64> = decoded
        .chunks_exact(2)
        .map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0)
        .collect();
    assert_eq!(samples.len(), 3 * 48_000);
    // The beep of the third second, after the decoder has settled.
    let around = 2 * 48_000 - 4_800..2 * 48_000 + 4_800;
    let onset = around
        .clone()
        .find(|&index| samples[index].abs() > 0.1)
        .expect("a beep");
    // What libopus looks ahead at 48 kHz; whoever plays the packets has to make up for it.
    let delay = 312.0;
    let error_ms = (onset as f64 - 96_000.0 - delay) / 48.0;
    assert!(error_ms.abs() < 2.0, "the beep is {error_ms} ms off");
    let end = around
        .rev()
        .find(|&index| samples[index].abs() > 0.1)
        .expect("a beep");
    let length = (end - onset) as f64 / 48_000.0;
    assert!(
        (0.050..0.065).contains(&length),
        "the beep lasts {length} s"
    );
}
