// Figures in words.

/** Bytes as KB, MB or GB. */
export function bytes(count) {
  if (count == null) return "";
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Bits per second. */
export function bitRate(bits) {
  if (bits < 1e6) return `${Math.round(bits / 1e3)} kbit/s`;
  return `${(bits / 1e6).toFixed(1)} Mbit/s`;
}

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "";
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** Milliseconds as seconds with one digit behind the point, or as minutes and hours. */
export function seconds(milliseconds) {
  if (milliseconds >= 60_000) return duration(milliseconds / 1_000);
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** Unix milliseconds as a time of day of this place. */
export function timeOfDay(milliseconds) {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(milliseconds);
}

/** Unix milliseconds as a date and time of this place. */
export function moment(milliseconds) {
  if (!milliseconds) return "";
  const format = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(undefined, format).format(milliseconds);
}

/** A number of things: 1 try, 2 tries. */
export function count(number, one, several) {
  return `${number} ${number === 1 ? one : several}`;
}

/** What the server says in lower case, as a sentence of the page. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** One, two and three. */
export function listing(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
