import { assert, type SegmentName, type SegmentRows } from "@drover/core";
import { CountingStore, type ExtentId, kvGeometry, segmentBytes } from "@drover/kv";
import { expect } from "vitest";
import type { SequenceStorage } from "../sequence-storage.ts";
import type { StoredSequence } from "../stored-sequence.ts";
import { StoredSequences } from "../stored-sequences.ts";
import { KeepingHolder, nameOf } from "./keeping-holder.ts";

const geometry = kvGeometry({ isGlobalLayer: [true, false], chunkSize: 256, kvHeadCount: 1, headDim: 8 }, "f32");
export const { segmentRows } = geometry;
const SEGMENT_BYTES = segmentBytes(geometry);

/** Rows are not looked at: what a segment must be is known by who has put it. */
class EmptyStorage extends CountingStore implements SequenceStorage {
  readonly dtype = "f32";

  async read(_extent: ExtentId): Promise<SegmentRows["layers"]> {
    return [];
  }
}

/** Until promises are over. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Prompts that begin alike: of `branch` 0 all have the same tokens; of another one those from segment `from` on differ. */
export function promptOf(length: number, branch = 0, from = 0): number[] {
  return Array.from({ length }, (_, i) => (i >= from * segmentRows ? 1 + branch * 100_000 + i : 1 + i));
}

/** A worker's sequences without a model, and context workers that have room for so many segments each. */
export function stripedStore(segmentCountMax: number, holderCount = 2, prefixCache = true) {
  const holders: KeepingHolder[] = [];
  /** Of each segment that was put, by its name: the tokens before its end. */
  const contents = new Map<string, string>();
  /** What the sequence that puts something at this moment has computed. */
  const computed = new Map<string, readonly number[]>();
  const onPut = ({ sequenceId, segment }: SegmentName) => {
    const tokens = computed.get(sequenceId);
    assert(tokens !== undefined, "a sequence that puts a segment was opened");
    contents.set(nameOf({ sequenceId, segment }), tokens.slice(0, (segment + 1) * segmentRows).join());
  };
  for (let i = 0; i < holderCount; i++)
    holders.push(new KeepingHolder(`context-${i}`, holders, { segmentBytes: SEGMENT_BYTES, segmentCountMax, onPut }));
  const sequences = new StoredSequences(geometry, new EmptyStorage(geometry), {
    cache: { bytesMax: 2 ** 26, prefixCache },
    hashSeed: { modelFingerprint: "m", salt: "" },
    stripes: { above: 1000, keeps: true, name: "worker", holders: () => holders },
  });
  const open = async (tokens: readonly number[], salt = "", reuse = true): Promise<StoredSequence> => {
    const prompt = { tokenIds: tokens, blockHashes: new Uint8Array(), salt, images: [], reuse };
    const sequence = sequences.open({ ...prompt, rowCountMax: tokens.length + 1 });
    assert(sequence.stripes !== undefined, "it is striped");
    computed.set(sequence.stripes.sequenceId, tokens);
    await settled();
    return sequence;
  };
  /** Computes what is missing as the decode loop does. Returns how many rows that was. */
  const compute = async (sequence: StoredSequence, tokens: readonly number[], end = tokens.length) => {
    let rowCount = 0;
    for (let turns = 0; sequence.length < end && turns < 200; turns++) {
      await settled();
      const repair = sequences.repair(sequence);
      if (repair === "sending") continue;
      const active = repair ?? sequence;
      const step = Math.min(256, Math.min(end, active.rowCountMax) - active.length);
      if (!sequences.reserve(active, step)) continue;
      if (repair === undefined) expectRight(sequence, tokens);
      sequences.commit(active, Int32Array.from(tokens.slice(active.length, active.length + step)));
      rowCount += step;
    }
    await settled();
    return rowCount;
  };
  /** Every segment before its own ones is read once, from who has it, and is its own beginning. */
  const expectRight = ({ stripes }: StoredSequence, tokens: readonly number[]) => {
    const read = stripes?.shares(stripes.end);
    if (read === undefined) return;
    for (const { holder, sequenceId, segments } of read)
      for (const segment of segments) {
        const name = nameOf({ sequenceId, segment });
        expect((holder as KeepingHolder).segments).toContain(name);
        expect((holder as KeepingHolder).kept.has(name)).toBe(false);
        expect(contents.get(name)).toBe(tokens.slice(0, (segment + 1) * segmentRows).join());
      }
    const count = read.reduce((sum, { segments }) => sum + segments.length, 0);
    expect(count).toBe(stripes?.end);
  };
  /** Segments that holders have, and of these those that are kept. */
  const counts = () => [
    holders.reduce((sum, { segments }) => sum + segments.size, 0),
    holders.reduce((sum, { kept }) => sum + kept.size, 0),
  ];
  return { holders, sequences, open, compute, counts, expectRight };
}
