import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { BLOCK_TOKENS, BlockHashes, CountingStore, KvCache, kvGeometry } from "@drover/kv";
import { UniformCache } from "./uniform-cache.ts";

/**
 * Replays request traces (JSON lines with `hash_ids`, one for each 512 tokens of the prompt, `input_length` and `output_length`) through the
 * prefix cache with Maverick's shapes in bf16, without an engine: the share of prompt tokens that need not be computed, beside a cache that
 * keeps all 48 layers alike (192 KiB a token, blocks of 512, least recently used, leaves first) and beside infinite memory, where every
 * common prefix hits. Requests follow each other: nothing is held while another one is opened.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { gib: { type: "string", default: "512,2048" }, check: { type: "boolean", default: false } },
});
const TRACE_BLOCK_TOKENS = 512;
const STEP_ROWS = 2048;
const GIB = 2 ** 30;
const isGlobalLayer = Array.from({ length: 48 }, (_, layer) => layer % 4 === 3);
const geometry = kvGeometry({ isGlobalLayer, chunkSize: 8192, kvHeadCount: 8, headDim: 128 }, "bf16");
const SEED = { modelFingerprint: "maverick bf16", salt: "" };

type Request = Readonly<{ input_length: number; output_length: number; hash_ids: readonly number[] }>;

/** Ids of the prompt's tokens: those of a trace block are told by its id; a block's own id is followed by nothing else. */
function promptIds(request: Request): Int32Array {
  const ids = new Int32Array(request.input_length);
  for (const [i, id] of request.hash_ids.entries()) ids.fill(id, i * TRACE_BLOCK_TOKENS, (i + 1) * TRACE_BLOCK_TOKENS);
  return ids;
}

/** Tokens of prompts that the cache had. Outputs are computed and cached too, as tokens that no prompt has. */
function replay(requests: readonly Request[], bytesMax: number): number {
  const store = new CountingStore(geometry);
  const cache = new KvCache(geometry, store, { bytesMax, prefixCache: true });
  let cached = 0;
  for (const [i, request] of requests.entries()) {
    const hashes = new BlockHashes(SEED);
    hashes.append(promptIds(request));
    hashes.append(new Int32Array(request.output_length).fill(-1 - i));
    const handle = cache.open(hashes, { promptLength: request.input_length });
    cached += handle.cachedCount;
    const end = request.input_length + request.output_length;
    while (handle.length < end) {
      // The step ends with the prompt: the first output token comes of it.
      const until = handle.length < request.input_length ? request.input_length : end;
      const rowCount = Math.min(STEP_ROWS, until - handle.length);
      if (!cache.reserve(handle, rowCount)) break;
      cache.commit(handle, rowCount);
    }
    cache.close(handle, true);
    cache.takeEvents();
    if (values.check && i % 100 === 0) cache.checkIntegrity();
  }
  return cached;
}

/** Tokens of prompts in blocks that an earlier prompt had, with the same blocks before. */
function ideal(requests: readonly Request[]): number {
  const seen = new Set<number>();
  let cached = 0;
  for (const { hash_ids, input_length } of requests) {
    const miss = hash_ids.findIndex((id) => !seen.has(id));
    cached += miss < 0 ? input_length : Math.min(input_length, miss * TRACE_BLOCK_TOKENS);
    for (const id of hash_ids) seen.add(id);
  }
  return cached;
}

function uniform(requests: readonly Request[], bytesMax: number): number {
  const cache = new UniformCache(Math.floor(bytesMax / (TRACE_BLOCK_TOKENS * 48 * geometry.rowBytes)));
  return requests.reduce(
    (total, { hash_ids, input_length }) => total + Math.min(input_length, cache.request(hash_ids) * TRACE_BLOCK_TOKENS),
    0,
  );
}

if (positionals.length === 0)
  positionals.push(`${import.meta.dirname}/../../shared/traces/mooncake/synthetic_trace.jsonl`);
for (const file of positionals) {
  const requests: Request[] = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const tokens = requests.reduce((total, request) => total + request.input_length, 0);
  const best = ideal(requests);
  const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
  process.stdout.write(`${file}: ${requests.length} requests, ${tokens} prompt tokens, blocks of ${BLOCK_TOKENS}\n\n`);
  process.stdout.write(
    "| memory | uniform | this | this / uniform | ideal | this / ideal | seconds |\n|---|---|---|---|---|---|---|\n",
  );
  for (const gib of values.gib.split(",")) {
    const base = uniform(requests, Number(gib) * GIB);
    const began = performance.now();
    const hit = replay(requests, Number(gib) * GIB);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const ratios = [percent(base / tokens), percent(hit / tokens), (hit / base).toFixed(2)];
    const cells = [`${gib} GiB`, ...ratios, percent(best / tokens), percent(hit / best), seconds];
    process.stdout.write(`| ${cells.join(" | ")} |\n`);
  }
  process.stdout.write("\n");
}
