// The longest wait for a router's /health while a body of each shape comes, the largest that is taken: how long its event loop stands still, and
// this process's own, which sends, on top; on a busy machine only the least of several rounds says something. Envelope: nobody but a
// thread walks through a body's values, so what is left is to receive 32 MiB (some 10 ms in all, in pieces) and to hand them over. Prints a line a
// shape; ends with 1 where a pause is above 50 ms in every round. Usage: node scripts/run.mjs bench/loop-pauses.ts [--mebibytes 30] [--rounds 3]
import { parseArgs } from "node:util";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { grpcShapes, httpShapes, type Shape } from "./loop-pauses/shapes.ts";

const PAUSE_MS_MAX = 50;
/** How often the router is asked whether it turns. */
const PROBE_MS = 5;

const { values } = parseArgs({
  options: { mebibytes: { type: "string", default: "30" }, rounds: { type: "string", default: "3" } },
});
const byteCount = Number(values.mebibytes) * 2 ** 20;

await using cluster = await TestCluster.start({ expertWorkers: 0 });

/** Asks for the router's health again and again; the longest wait is the longest pause, and what an answer takes anyway. */
async function longestWait(over: () => boolean): Promise<number> {
  let most = 0;
  while (!over()) {
    const began = performance.now();
    await (await fetch(`${cluster.url}/health`)).arrayBuffer();
    most = Math.max(most, performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
  }
  return most;
}

async function pauseOf({ send }: Shape): Promise<Readonly<{ pauseMs: number; said: string }>> {
  let isOver = false;
  const waited = longestWait(() => isOver);
  const said = await send(cluster);
  isOver = true;
  return { pauseMs: await waited, said };
}

let isLate = false;
for (const shape of [...httpShapes(byteCount), ...grpcShapes(byteCount)]) {
  const rounds: number[] = [];
  let said = "";
  for (let round = 0; round < Number(values.rounds); round++) {
    const seen = await pauseOf(shape);
    rounds.push(seen.pauseMs);
    said = seen.said;
  }
  const least = Math.min(...rounds);
  isLate ||= least > PAUSE_MS_MAX;
  console.log(`${shape.name.padEnd(44)} ${rounds.map((ms) => ms.toFixed(0).padStart(5)).join("")} ms   ${said}`);
}
if (isLate) process.exitCode = 1;
