import { workerId } from "@drover/core";
import { sampleHashes } from "@drover/fleet";
import { BLOCK_TOKENS, BlockHashes, digestOf } from "@drover/kv";
import type { CacheChanges, CacheSnapshotPart } from "@drover/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { RESYNC_INTERVAL_MS, SNAPSHOT_BYTES_MAX } from "../limits.ts";
import { job } from "../testing/fake-queue.ts";
import { PrefixDirectory } from "./prefix-directory.ts";

const a = workerId("a");
const CHUNK = 256;
const chain = (() => {
  const hashes = new BlockHashes({ modelFingerprint: "m", salt: "" });
  hashes.append(new Int32Array(16 * BLOCK_TOKENS));
  return hashes.wire;
})();
const asked = job("one", { promptTokenCount: 16 * BLOCK_TOKENS + 5, blockHashes: sampleHashes(chain) });

const events = (...list: readonly (readonly [number, Uint8Array])[]): CacheChanges => ({
  events: list.map(([sequence, hashes]) => ({ sequence, operation: "added", kind: "global", hashes })),
  digest: { sequence: list.at(-1)?.[0] ?? 0, global: digestOf(chain), local: digestOf(new Uint8Array()) },
});
const part = (first: boolean, last: boolean, hashes: Uint8Array, sequence = 2): CacheSnapshotPart => ({
  sequence,
  kind: "global",
  hashes,
  first,
  last,
});

describe("PrefixDirectory", () => {
  let directory = new PrefixDirectory();
  beforeEach(() => {
    directory = new PrefixDirectory();
    directory.serve(CHUNK);
  });

  it("what a worker says it has cached is expected there, and nowhere else", () => {
    expect(directory.change(a, events([1, chain.subarray(0, 128)], [2, chain.subarray(128)]), 0)).toBe(false);
    const cached = directory.lookup(asked);
    expect(cached(a)).toBe(16 * BLOCK_TOKENS);
    expect(cached(workerId("b"))).toBe(0);
    expect(directory.blockCount(a)).toBe(16);
    directory.forget(a);
    expect(directory.lookup(asked)(a)).toBe(0);
  });

  it("of a prompt so long that its job carries a sample of its hashes, all that is cached is expected", () => {
    const long = new BlockHashes({ modelFingerprint: "m", salt: "" });
    long.append(new Int32Array(131_072));
    const { blockCount, wire } = long;
    directory.change(a, events([1, wire]), 0);
    const found = directory.lookup(job("long", { promptTokenCount: 131_072, blockHashes: sampleHashes(wire) }))(a);
    expect(found).toBeGreaterThanOrEqual((blockCount - 16) * BLOCK_TOKENS);
  });

  it("a lost event is found by the digest; a snapshot in parts mends it, and is asked for once at a time", () => {
    const later = events([2, chain.subarray(128)]);
    expect(directory.change(a, later, 0)).toBe(true);
    expect(directory.change(a, later, RESYNC_INTERVAL_MS - 1)).toBe(false);
    expect(directory.change(a, later, RESYNC_INTERVAL_MS)).toBe(true);
    directory.restore(a, part(true, false, chain.subarray(0, 64)));
    expect(directory.lookup(asked)(a)).toBe(0);
    directory.restore(a, part(false, true, chain.subarray(64)));
    expect(directory.lookup(asked)(a)).toBe(16 * BLOCK_TOKENS);
    expect(directory.change(a, later, 10 * RESYNC_INTERVAL_MS)).toBe(false);
  });

  it("parts that do not belong together, or are too many, restore nothing", () => {
    directory.restore(a, part(false, true, chain));
    directory.restore(a, part(true, false, chain.subarray(0, 64)));
    directory.restore(a, part(false, true, chain.subarray(64), 3));
    expect(directory.blockCount(a)).toBe(0);
    directory.restore(a, part(true, false, new Uint8Array(SNAPSHOT_BYTES_MAX + 16)));
    directory.restore(a, part(false, true, chain));
    expect(directory.blockCount(a)).toBe(0);
  });

  it("a job without hashes is expected nowhere", () => {
    directory.change(a, events([1, chain]), 0);
    expect(directory.lookup(job("two"))(a)).toBe(0);
  });
});
