import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into every process of a cluster before its main: SIGUSR2 begins a profile of its main thread, and the next one ends it and writes it to
 * `PID.cpuprofile` in the folder that PROFILE_FOLDER names, beside it in `PID.gc` the milliseconds of each pause for garbage.
 */
const folder = process.env.PROFILE_FOLDER;
if (isMainThread && folder !== undefined) {
  let session: Session | undefined;
  const pauses: number[] = [];
  const garbage = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) pauses.push(duration);
  });
  const begin = () => {
    session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: Number(process.env.PROFILE_INTERVAL_US ?? 1000) });
    session.post("Profiler.start");
    garbage.observe({ entryTypes: ["gc"] });
  };
  const end = (ending: Session) => {
    session = undefined;
    garbage.disconnect();
    writeFileSync(join(folder, `${process.pid}.gc`), JSON.stringify(pauses));
    ending.post("Profiler.stop", (fault, { profile }) => {
      if (fault === null) writeFileSync(join(folder, `${process.pid}.cpuprofile`), JSON.stringify(profile));
      ending.disconnect();
    });
  };
  process.on("SIGUSR2", () => {
    if (session === undefined) begin();
    else end(session);
  });
}
