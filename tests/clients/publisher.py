"""Publishes flash and beep with LiveKit's own Python client until it is ended.

Environment: URL, TOKEN. Once per second of the wall clock the picture is white for one frame and
a beep of 60 ms begins.
"""

import asyncio
import os
import time

import numpy as np
from livekit import rtc

WIDTH, HEIGHT, FRAME_RATE = 640, 360, 15
SAMPLE_RATE, PITCH, BEEP_SECONDS = 48_000, 2_600, 0.06
# Sound is handed over in pieces of 10 ms.
PIECE = SAMPLE_RATE // 100


def picture(index: int) -> rtc.VideoFrame:
    luma = np.full((HEIGHT, WIDTH), 80, np.uint8)
    if index % FRAME_RATE == 0:
        luma[:] = 235
    else:
        left = index * 7 % (WIDTH - 90)
        luma[135:225, left : left + 90] = 130
    chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8)
    data = np.concatenate([luma.ravel(), chroma])
    return rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data.tobytes())


def sound(piece: int) -> rtc.AudioFrame:
    times = (np.arange(PIECE) + piece % 100 * PIECE) / SAMPLE_RATE
    samples = np.where(times < BEEP_SECONDS, np.sin(2 * np.pi * PITCH * times), 0) * 10_000
    return rtc.AudioFrame(samples.astype(np.int16).tobytes(), SAMPLE_RATE, 1, PIECE)


async def send_pictures(source: rtc.VideoSource, start: float) -> None:
    index = 0
    while True:
        await asyncio.sleep(max(0.0, start + index / FRAME_RATE - time.time()))
        source.capture_frame(picture(index))
        index += 1


async def send_sound(source: rtc.AudioSource, start: float) -> None:
    piece = 0
    while True:
        await asyncio.sleep(max(0.0, start + piece / 100 - time.time()))
        await source.capture_frame(sound(piece))
        piece += 1


async def main() -> None:
    room = rtc.Room()
    options = rtc.RoomOptions(auto_subscribe=False)
    await room.connect(os.environ["URL"], os.environ["TOKEN"], options)
    camera = rtc.VideoSource(WIDTH, HEIGHT)
    microphone = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=50)
    for track, source in [
        (
            rtc.LocalVideoTrack.create_video_track("camera", camera),
            rtc.TrackSource.SOURCE_CAMERA,
        ),
        (
            rtc.LocalAudioTrack.create_audio_track("microphone", microphone),
            rtc.TrackSource.SOURCE_MICROPHONE,
        ),
    ]:
        await room.local_participant.publish_track(
            track, rtc.TrackPublishOptions(source=source, simulcast=False)
        )
    start = float(int(time.time()) + 1)
    await asyncio.gather(send_pictures(camera, start), send_sound(microphone, start))


asyncio.run(main())
