import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { modelId, requestId, workerId } from "@drover/core";
import {
  ComingPrefixes,
  PrefixIndex,
  placeRequest,
  Reservations,
  sampledBlocks,
  sampleHashes,
  type WorkerCapacity,
} from "@drover/fleet";
import { BLOCK_TOKENS, BlockHashes } from "@drover/kv";

/**
 * How long the scheduler takes to decide where one prompt of 1,048,576 tokens goes among 1,000 workers: looking its blocks up, predicting
 * every worker's time, choosing, reserving. Back of the envelope: 1,000 workers with up to 64 waiting prompts each are 64,000 additions,
 * some 0.1 ms; the look-up of the prefix another 0.3 ms where every worker has another length of it (bench/prefix-index.ts).
 */
const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "1000" },
    tokens: { type: "string", default: "1048576" },
    decisions: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
  },
});
const CHUNK = 8192;
const WARM_UP = 200;
const model = modelId("maverick");
const workerCount = Number(values.workers);
const promptTokenCount = Number(values.tokens);
const decisionCount = Number(values.decisions);
let state = Number(values.seed) >>> 0;
const random = (below: number) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

const prompt = new BlockHashes({ modelFingerprint: "maverick bf16", salt: "" });
prompt.append(Int32Array.from({ length: promptTokenCount }, () => random(200_000)));
const blockHashes = sampleHashes(prompt.wire);
const index = new PrefixIndex({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK });
const names = Array.from({ length: workerCount }, (_, i) => workerId(`worker-${i}`));
for (const name of names) {
  const end = random(prompt.blockCount + 1);
  index.observe(name, { sequence: 1, operation: "added", kind: "global", hashes: prompt.wire.slice(0, 16 * end) });
}

/** Half of the workers have a full queue of prompts, all of them decode. */
const capacities: WorkerCapacity[] = names.map((name, i) => {
  const waitingCount = i % 2 === 0 ? 60 : random(4);
  return {
    workerId: name,
    modelId: model,
    available: i % 50 !== 0,
    kvBytesUsed: random(2 ** 38),
    kvBytesCached: random(2 ** 36),
    kvBytesMax: 2 ** 39,
    kvBytesPerToken: 49_152,
    kvBytesFixed: 2 ** 30,
    runningCount: random(64),
    waitingCount,
    waitingTokenCount: waitingCount * 2000,
    contextTokensMax: 2 ** 21,
    costs: { promptRowMs: 0.05, contextTokenMs: 1e-7, decodeMs: random(12), decodeRowMs: 0.2, stepMsMax: 40 },
    pendingPromptMs: Array.from({ length: waitingCount }, () => random(400)).sort((a, b) => a - b),
    reservedBytes: 0,
    reservedCount: 0,
    reservedPromptMs: [],
  };
});

const reservations = new Reservations();
const coming = new ComingPrefixes({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK });
const request = { modelId: model, promptTokenCount, newTokenCountMax: 1000, choiceCount: 1 };

function decide(serial: number): string {
  const found = index.cachedTokens(blockHashes, promptTokenCount, sampledBlocks(prompt.blockCount));
  const soon = coming.of({ hashes: blockHashes, promptTokenCount }, serial);
  const decision = placeRequest(capacities, request, {
    cachedTokenCount: (worker) => found.get(worker) ?? 0,
    coming: (worker) => soon.get(worker),
  });
  if (decision.kind !== "worker") return decision.kind;
  reservations.reserve(decision.workerId, requestId(`request-${serial}`), decision);
  coming.placed(
    decision.workerId,
    requestId(`request-${serial}`),
    { hashes: blockHashes, promptTokenCount },
    decision.candidate,
    serial,
  );
  const at = names.indexOf(decision.workerId);
  const { bytes, count, promptMs } = reservations.total(decision.workerId);
  const known = capacities[at];
  // As a status would: the placement has begun, and its queue is what it was.
  if (known !== undefined && count < 8)
    capacities[at] = { ...known, reservedBytes: bytes, reservedCount: count, reservedPromptMs: promptMs };
  else reservations.forget(decision.workerId);
  return decision.workerId;
}

const tookMs: number[] = [];
const chosen = new Set<string>();
for (let i = 0; i < WARM_UP + decisionCount; i++) {
  const began = performance.now();
  const where = decide(i);
  if (i >= WARM_UP) tookMs.push(performance.now() - began);
  chosen.add(where);
}
tookMs.sort((a, b) => a - b);
const at = (share: number) => (tookMs[Math.min(tookMs.length - 1, Math.floor(share * tookMs.length))] ?? 0).toFixed(3);
console.log(
  `${workerCount} workers, a prompt of ${promptTokenCount} tokens (${blockHashes.length} bytes of hashes in the job), ${decisionCount} decisions for ${chosen.size} workers; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; seed ${values.seed}`,
);
console.log(`ms a decision: median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}`);
