// How long the main loops of a router and its scheduler stand still while a request of each shape comes, the largest that is taken: recorded within
// these processes, so that what this one does is not in it (loop-pauses/loop-recorder.ts). Of each shape the longest pause by the wall, and the most
// that the thread itself computed without a turn: on a machine with others the second says what Drover does. Envelope: nobody but a thread walks
// through a body's values, so what is left is to receive 32 MiB (some 10 ms in all, in pieces) and to hand them over. Ends with 1 where more than
// 50 ms were computed without a turn in every round.
// Usage: node scripts/run.mjs bench/loop-pauses.ts [--mebibytes 30] [--rounds 3] [--only TEXT]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { grpcShapes } from "./loop-pauses/grpc-shapes.ts";
import { httpShapes } from "./loop-pauses/http-shapes.ts";
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

const folder = mkdtempSync(join(tmpdir(), "drover-loops-"));
const record = join(folder, "pauses");

type Pause = Readonly<{ name: string; beganMs: number; pauseMs: number; ownMs: number }>;

const least = (numbers: readonly number[]) => Math.min(...numbers);
const most = (pauses: readonly Pause[], of: "pauseMs" | "ownMs") => Math.max(0, ...pauses.map((pause) => pause[of]));

async function pausesOf({ send }: Shape, cluster: TestCluster): Promise<Readonly<{ pauses: Pause[]; said: string }>> {
  writeFileSync(record, "");
  const said = await send(cluster);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const lines = readFileSync(record, "utf8").split("\n").filter(Boolean);
  return { pauses: lines.map((line): Pause => JSON.parse(line)), said };
}

/** Measures a shape and prints its line; whether it held a loop for too long in every round. */
async function holds(shape: Shape, cluster: TestCluster): Promise<boolean> {
  const seen: Readonly<{ pauses: Pause[]; said: string }>[] = [];
  for (let round = 0; round < rounds; round++) seen.push(await pausesOf(shape, cluster));
  const longest = (of: "pauseMs" | "ownMs") => least(seen.map(({ pauses }) => most(pauses, of)));
  const figures = `${longest("ownMs").toFixed(0).padStart(6)} ms computed ${longest("pauseMs").toFixed(0).padStart(6)} ms`;
  const who = seen[0]?.pauses.toSorted((a, b) => b.ownMs - a.ownMs)[0]?.name ?? "";
  console.log(`${shape.name.padEnd(60)} ${figures}   ${who.padEnd(10)} ${seen.at(-1)?.said ?? ""}`);
  return longest("ownMs") > PAUSE_MS_MAX;
}

try {
  const recorder = join(import.meta.dirname, "loop-pauses/loop-recorder.ts");
  const env = { LOOP_RECORD: record, NODE_OPTIONS: `--import=${recorder}` };
  await using cluster = await TestCluster.start({ expertWorkers: 0, env });
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
} finally {
  rmSync(folder, { recursive: true, force: true });
}
