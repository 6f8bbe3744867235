// How loud a stream is.

/** Faintest level that the meter shows, dB below full scale. */
const FLOOR = -60;

/**
 * Shows the level of a stream's sound in an element with role "meter" until it is stopped.
 *
 * @returns what stops it
 */
export function watchLevel(stream, meter) {
  const bar = meter.firstElementChild;
  if (stream.getAudioTracks().length === 0) {
    set(meter, bar, 0);
    return () => {};
  }
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let shown = 0;
  const timer = setInterval(() => {
    // A page that was opened by a link may listen only after a click.
    if (context.state === "suspended") context.resume().catch(() => {});
    analyser.getFloatTimeDomainData(samples);
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const level = peak > 0 ? Math.max(0, 1 - (20 * Math.log10(peak)) / FLOOR) : 0;
    // Falls slowly, so that the eye can follow.
    shown = Math.max(level, shown - 0.06);
    set(meter, bar, Math.min(1, shown));
  }, 60);
  return () => {
    clearInterval(timer);
    context.close();
    set(meter, bar, 0);
  };
}

function set(meter, bar, level) {
  bar.style.clipPath = `inset(0 ${((1 - level) * 100).toFixed(1)}% 0 0)`;
  meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
}
