// How long the main loops of a router and its scheduler stand still while a request of each shape comes, the largest that is taken: recorded within
// these processes, so that what this one does is not in it (loop-pauses/loop-recorder.ts). Of each shape the longest pause by the wall, and the most
// that the thread itself computed without a turn: on a machine with others the second says what Drover does. Envelope: nobody but a thread walks
// through a body's values, so what is left is to receive 32 MiB (some 10 ms in all, in pieces) and to hand them over. Ends with 1 where more than
// 50 ms were computed without a turn in every round.
// Usage: node scripts/run.mjs bench/loop-pauses.ts [--mebibytes 30] [--rounds 3] [--only TEXT]
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { grpcShapes } from "./loop-pauses/grpc-shapes.ts";
import { httpShapes } from "./loop-pauses/http-shapes.ts";
import { longest, type Pause, RecordedPauses } from "./loop-pauses/recorded-pauses.ts";
import type { Shape } from "./loop-pauses/shape.ts";

const PAUSE_MS_MAX = 50;
/** What a shape leaves behind, such as garbage, is still its own for so long. */
const SETTLE_MS = 300;

const { values } = parseArgs({
  options: {
    mebibytes: { type: "string", default: "30" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});
const byteCount = Number(values.mebibytes) * 2 ** 20;
const rounds = Number(values.rounds);

using recorded = new RecordedPauses();

type Seen = Readonly<{ pauses: readonly Pause[]; said: string }>;

async function pausesOf({ send }: Shape, cluster: TestCluster): Promise<Seen> {
  recorded.clear();
  const said = await send(cluster);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return { pauses: recorded.all, said };
}

/** Measures a shape and prints its line; whether it held a loop for too long in every round. */
async function holds(shape: Shape, cluster: TestCluster): Promise<boolean> {
  const seen: Seen[] = [];
  for (let round = 0; round < rounds; round++) seen.push(await pausesOf(shape, cluster));
  const least = (by: "pauseMs" | "ownMs") => Math.min(...seen.map(({ pauses }) => longest(pauses, by)));
  const figures = `${least("ownMs").toFixed(0).padStart(6)} ms computed ${least("pauseMs").toFixed(0).padStart(6)} ms`;
  const who = seen[0]?.pauses.toSorted((a, b) => b.ownMs - a.ownMs)[0]?.name ?? "";
  console.log(`${shape.name.padEnd(60)} ${figures}   ${who.padEnd(10)} ${seen.at(-1)?.said ?? ""}`);
  return least("ownMs") > PAUSE_MS_MAX;
}

await using cluster = await TestCluster.start({ expertWorkers: 0, env: recorded.env });
console.log(
  `load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(" ")}; least of ${rounds} rounds`,
);
const shapes = [...httpShapes(byteCount), ...grpcShapes(byteCount)].filter(({ name }) => name.includes(values.only));
let held = 0;
for (const shape of shapes) if (await holds(shape, cluster)) held++;
console.log(
  `load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(" ")}; ${held} of ${shapes.length} held a loop for more than ${PAUSE_MS_MAX} ms`,
);
if (held > 0) process.exitCode = 1;
