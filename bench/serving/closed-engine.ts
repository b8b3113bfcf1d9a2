import { setImmediate as nextTurn } from "node:timers/promises";
import { greedyTask, openLocalEngine } from "@drover/testkit";
import { randomIds } from "./random-ids.ts";

/**
 * The engine alone under a server's load, in a process of its own that {@link ../serving-cost.ts} forks: prompts of random tokens in so many lanes, each of which
 * places its next one when its last is over, with the step and the prefill of `drover worker` and one thread. No transport, nothing else on its loop.
 */
export type EngineLoadQuery = Readonly<{ streams: number; requests: number; promptTokens: number; tokens: number }>;
/** Microseconds of CPU are the whole process's. `steadyMs`, `steadyTokens`: from when all lanes had begun to decode until the first was over, with no prompt between. */
export type EngineLoadAnswer = Readonly<{
  ms: number;
  cpuUs: number;
  tokens: number;
  steadyMs: number;
  steadyTokens: number;
  steadyCpuUs: number;
  firstMs: readonly number[];
  /** Milliseconds of all steps, by part, as a worker's metrics have them. */
  parts: Readonly<{ sessions: number; exchange: number; other: number }>;
  stepCount: number;
}>;

const [model = "", stepMs = "18", prefillRowsMax = "512", threads = "1"] = process.argv.slice(2);
const local = await openLocalEngine(model, {
  prefillRowsMax: Number(prefillRowsMax),
  stepMs: Number(stepMs),
  threads: Number(threads),
});

let serial = 0;
function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Of each request how far it is. */
type Lane = { placedMs: number; tokens: number };

async function run({ streams, requests, promptTokens, tokens }: EngineLoadQuery): Promise<EngineLoadAnswer> {
  const lanes = new Map<string, Lane>();
  const firstMs: number[] = [];
  const look = () => ({ ms: performance.now(), cpuUs: cpuUs(), tokens: counted });
  let [placed, over, counted] = [0, 0, 0];
  let steady: ReturnType<typeof look> | undefined;
  let steadyEnd: ReturnType<typeof look> | undefined;
  const place = () => {
    if (placed === requests) return;
    placed++;
    const id = `load-${serial++}`;
    lanes.set(id, { placedMs: performance.now(), tokens: 0 });
    local.engine.place(greedyTask(id, randomIds(promptTokens), tokens));
  };
  const take = () => {
    for (const { requestId, event } of local.events.splice(0)) {
      const lane = lanes.get(requestId);
      if (lane === undefined) continue;
      if (event.kind === "token") {
        if (lane.tokens === 0) firstMs.push(performance.now() - lane.placedMs);
        lane.tokens += 1;
        counted += 1;
      } else if (event.kind === "done") {
        steadyEnd ??= look();
        lanes.delete(requestId);
        over++;
        place();
      } else if (event.kind === "failed") throw new Error(event.message);
    }
    if (firstMs.length === streams) steady ??= look();
  };
  local.steps.length = 0;
  const began = look();
  for (let lane = 0; lane < streams; lane++) place();
  while (over < requests) {
    if (!(await local.engine.step())) await nextTurn();
    local.engine.flush();
    take();
  }
  const ended = look();
  const sum = (pick: (step: (typeof local.steps)[number]) => number) =>
    local.steps.reduce((total, step) => total + pick(step), 0);
  const [sessions, exchange, all] = [
    sum((one) => one.computeMs),
    sum((one) => one.exchangeMs),
    sum((one) => one.totalMs),
  ];
  return {
    parts: { sessions, exchange, other: all - sessions - exchange },
    stepCount: local.steps.length,
    ms: ended.ms - began.ms,
    cpuUs: ended.cpuUs - began.cpuUs,
    tokens: counted,
    steadyMs: (steadyEnd?.ms ?? Number.NaN) - (steady?.ms ?? Number.NaN),
    steadyTokens: (steadyEnd?.tokens ?? Number.NaN) - (steady?.tokens ?? Number.NaN),
    steadyCpuUs: (steadyEnd?.cpuUs ?? Number.NaN) - (steady?.cpuUs ?? Number.NaN),
    firstMs,
  };
}

process.on("message", async (query: EngineLoadQuery) => process.send?.(await run(query)));
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
