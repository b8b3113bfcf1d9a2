import { parseArgs } from "node:util";
import { workerId } from "@drover/core";
import { PrefixIndex, sampledBlocks, sampleHashes } from "@drover/fleet";
import { BLOCK_TOKENS, BlockHashes, wireOf } from "@drover/kv";

/**
 * How long the cluster's index takes to say which workers have how much of a 1,048,576-token prompt cached. Back of the envelope: where all
 * 1,000 workers have different lengths, each is looked up 14 times, by some 5,000 different blocks: at 50 ns, a quarter of a millisecond.
 */
const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "1000" },
    tokens: { type: "string", default: "1048576" },
    blocks: { type: "string", default: "5000" },
    queries: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
  },
});
const CHUNK = 8192;
const workers = Array.from({ length: Number(values.workers) }, (_, i) => workerId(`worker-${i}`));
const tokenCount = Number(values.tokens);
let state = Number(values.seed) >>> 0;
const random = (below: number) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

const prompt = new BlockHashes({ modelFingerprint: "maverick bf16", salt: "" });
prompt.append(new Int32Array(tokenCount).fill(1));
const keys = (from: number, to: number) => wireOf(Array.from({ length: to - from }, (_, i) => prompt.key(from + i)));
/** What a job carries of them, and what the scheduler asks with. */
const sampled = sampledBlocks(prompt.blockCount);
const sample = sampleHashes(prompt.wire);
const noise = (count: number) => Uint8Array.from({ length: 16 * count }, () => random(256));

/** `length` says how many blocks of the prompt the worker has; each has others besides. */
function indexOf(length: (worker: number) => number): PrefixIndex {
  const index = new PrefixIndex({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK });
  for (const [i, worker] of workers.entries()) {
    const end = length(i);
    const chunk = Math.floor((end * BLOCK_TOKENS) / CHUNK) * (CHUNK / BLOCK_TOKENS);
    let sequence = 0;
    const add = (kind: "global" | "local", hashes: Uint8Array) =>
      index.observe(worker, { sequence: ++sequence, operation: "added", kind, hashes });
    add("global", noise(Number(values.blocks)));
    add("global", keys(0, end));
    add("local", keys(chunk, chunk + Math.floor((end - chunk) / (1 + (i % 2)))));
  }
  return index;
}

const scenes: Record<string, (worker: number) => number> = {
  "nobody has any of it": () => 0,
  "ten have all of it": (worker) => (worker % 100 === 0 ? prompt.blockCount : 0),
  "all have 2,000 tokens of it": () => Math.floor(2000 / BLOCK_TOKENS),
  "all have another length of it": () => random(prompt.blockCount + 1),
};
process.stdout.write(
  `${workers.length} workers, prompt of ${tokenCount} tokens, ${prompt.blockCount} blocks, ${sampled.length} sampled\n`,
);
for (const [name, length] of Object.entries(scenes)) {
  const index = indexOf(length);
  measure(`${name}, by its sample`, () => index.cachedTokens(sample, tokenCount, sampled));
  measure(`${name}, by all hashes`, () => index.cachedTokens(prompt.wire, tokenCount));
}

function measure(name: string, query: () => void): void {
  const elapsed: number[] = [];
  let cpu = process.cpuUsage();
  for (let i = -200; i < Number(values.queries); i++) {
    if (i === 0) cpu = process.cpuUsage();
    const began = performance.now();
    query();
    if (i >= 0) elapsed.push(performance.now() - began);
  }
  const { user, system } = process.cpuUsage(cpu);
  const mean = ((user + system) / 1000 / elapsed.length).toFixed(3);
  process.stdout.write(`${name}: ${spread(elapsed)}, CPU ${mean} ms each\n`);
}

function spread(times: number[]): string {
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(3);
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}
