import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into every process of a cluster before its main: SIGUSR2 begins a profile of its main thread, and the next one ends it and writes it to
 * `PID.cpuprofile` in the folder that PROFILE_FOLDER names.
 */
const folder = process.env.PROFILE_FOLDER;
if (isMainThread && folder !== undefined) {
  let session: Session | undefined;
  process.on("SIGUSR2", () => {
    if (session !== undefined) {
      const ending = session;
      session = undefined;
      ending.post("Profiler.stop", (fault, { profile }) => {
        if (fault === null) writeFileSync(join(folder, `${process.pid}.cpuprofile`), JSON.stringify(profile));
        ending.disconnect();
      });
      return;
    }
    session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: 1000 });
    session.post("Profiler.start");
  });
}
