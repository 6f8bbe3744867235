// How the server is: room for more recordings, on the disk and in number, and what they cost.

import { byId, say, show } from "./elements.js";
import { bytes, count, sentence } from "./format.js";

/**
 * Shows what is known of the server.
 *
 * @param status of `GET /status`
 * @param disk of `GET /v1/events`
 * @param rooms of `GET /v1/rooms`
 */
export function showOverview({ status, disk, rooms }) {
  show(byId("overview"), Boolean(status || disk));
  if (status) {
    const { used, max } = status.capacity;
    say(byId("used"), max > 0 ? `${used} of ${max}` : count(used, "recording", "recordings"));
    const processes = status.sessions.flatMap((session) => session.processes ?? []);
    if (rooms?.process) processes.push(rooms.process);
    const cores = processes.reduce((sum, one) => sum + one.cpuCores, 0);
    const memory = processes.reduce((sum, one) => sum + one.memoryBytes, 0);
    say(byId("cost"), `${cores.toFixed(2)} cores, ${bytes(memory)}`);
  }
  if (disk) say(byId("free"), bytes(disk.freeBytes));
  const short = status?.capacity.shortOf;
  say(byId("shortage"), short ? `No recording can begin now. ${sentence(short)}` : "");
  show(byId("shortage"), Boolean(short));
}
