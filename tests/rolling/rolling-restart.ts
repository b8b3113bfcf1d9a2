import { type KnownAnswer, StreamTally, streamWithoutPause } from "../e2e/known-stream.ts";
import type { RollingFleet } from "./rolling-fleet.ts";

export type RollingReport = Readonly<{
  tally: StreamTally;
  restarts: number;
  /** Requests that ending workers gave back to their routers. */
  handedBack: number;
  /** Requests that ending routers finished, and that outlived them. */
  finished: number;
  cut: number;
  seconds: number;
}>;

/** Restarts every worker and every router once, one after the other, while so many streams run without a pause. */
export async function rollingRestart(
  fleet: RollingFleet,
  answers: readonly KnownAnswer[],
  streams: number,
  onRestart: (name: string) => void = () => undefined,
): Promise<RollingReport> {
  const tally = new StreamTally();
  const began = performance.now();
  const endStreams = streamWithoutPause(fleet.post, answers, streams, tally);
  let [restarts, handedBack, finished, cut] = [0, 0, 0, 0];
  try {
    for (const name of fleet.workerNames) {
      const drained = logged(await fleet.restartWorker(name), "worker.drained");
      handedBack += Number(drained.handedBack);
      restarts += 1;
      onRestart(name);
    }
    for (let routers = fleet.routerCount; routers > 0; routers--) {
      const drained = logged(await fleet.restartRouter(), "router.drained");
      finished += Number(drained.finished);
      cut += Number(drained.cut);
      restarts += 1;
      onRestart("router");
    }
  } finally {
    await endStreams();
  }
  return { tally, restarts, handedBack, finished, cut, seconds: (performance.now() - began) / 1000 };
}

/** The one line of a log with this event. */
export function logged(output: string, event: string): Readonly<Record<string, unknown>> {
  const line = output.split("\n").find((one) => one.includes(`"event":"${event}"`));
  if (line === undefined) throw new Error(`no ${event} in\n${output}`);
  return JSON.parse(line);
}
