import { Worker } from "node:worker_threads";

type Seen = Readonly<{ status: number; body: string }>;

/** Asks a URL again and again until it has this status or minutes are over, then wakes who waits at `flag`. */
const PROGRAM = `
const { parentPort, workerData: { url, status, flag } } = require("node:worker_threads");
(async () => {
  let seen;
  for (let tries = 0; tries < 5000 && seen?.status !== status; tries++) {
    const response = await fetch(url);
    seen = { status: response.status, body: await response.text() };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  parentPort.postMessage(seen);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
})();`;

/** Blocks this thread, as a computation does, until another one has got the status from the URL. Returns what that one saw last. */
export async function askWhileBlocked(url: string, status: number): Promise<Seen> {
  const flag = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const prober = new Worker(PROGRAM, { eval: true, execArgv: [], workerData: { url, status, flag } });
  const seen = new Promise<Seen>((resolve, reject) => {
    prober.once("message", resolve);
    prober.once("error", reject);
  });
  // The thread starts by itself: nothing of it needs this one's loop.
  Atomics.wait(flag, 0, 0, 300_000);
  return seen;
}
