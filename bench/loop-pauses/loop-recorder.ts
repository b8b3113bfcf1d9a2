import { appendFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into every process of a cluster before its main: where LOOP_RECORD names a file, each time that the main loop of a router or a scheduler
 * does not turn for long is a line of it: which process, when it ended, how long it was, and how much of it the thread itself computed, in
 * milliseconds. What is not computed is the machine's: others had the core.
 */
const RECORDED_MS_MIN = 15;

/** How often the loop has to turn. */
const TURN_MS = 1;

const file = process.env.LOOP_RECORD;
const name = /apps\/(router|scheduler)\/src\/main\.ts$/.exec(process.argv[1] ?? "")?.[1];
if (isMainThread && file !== undefined && name !== undefined) {
  const computedMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let lastMs = Date.now();
  let last = performance.now();
  let lastComputed = computedMs();
  const turn = () => {
    const now = performance.now();
    const pause = now - last - TURN_MS;
    const computed = computedMs();
    if (pause > RECORDED_MS_MIN)
      appendFileSync(
        file,
        `${JSON.stringify({ name, beganMs: lastMs, pauseMs: pause, ownMs: computed - lastComputed })}\n`,
      );
    lastMs = Date.now();
    last = performance.now();
    lastComputed = computedMs();
    setTimeout(turn, TURN_MS).unref();
  };
  turn();
}
