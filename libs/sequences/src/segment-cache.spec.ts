import {
  assert,
  at,
  type ContextHolder,
  type SegmentKeeping,
  type SegmentName,
  type SegmentRows,
  type SegmentTransfer,
} from "@drover/core";
import { BLOCK_TOKENS, CountingStore, type ExtentId, type KvGeometry, kvGeometry, segmentBytes } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { SequenceStorage } from "./sequence-storage.ts";
import type { StoredSequence } from "./stored-sequence.ts";
import { StoredSequences } from "./stored-sequences.ts";

const geometry = kvGeometry({ isGlobalLayer: [true, false], chunkSize: 256, kvHeadCount: 1, headDim: 8 }, "f32");
const { segmentRows } = geometry;
const SEGMENT_BYTES = segmentBytes(geometry);

/** Rows are not looked at: what a segment must be is known by who has put it. */
class EmptyStorage extends CountingStore implements SequenceStorage {
  readonly dtype = "f32";

  async read(_extent: ExtentId): Promise<SegmentRows["layers"]> {
    return [];
  }
}

const nameOf = ({ sequenceId, segment }: SegmentName) => `${sequenceId} ${segment}`;

/** A context worker as its service makes one: what is kept gives way, the one that was kept longest first. */
class Holder implements ContextHolder {
  readonly workerId: string;
  readonly bytesMax: number;
  readonly segments = new Set<string>();
  readonly kept = new Map<string, SegmentName>();
  readonly transfer: SegmentTransfer;
  readonly keeping: SegmentKeeping;
  /** Told what it gets by `put`. */
  readonly onPut: (name: SegmentName) => void;
  connected = true;
  draining = false;
  life = 1;
  #gone: SegmentName[] = [];

  constructor(workerId: string, all: readonly Holder[], segmentCountMax: number, onPut: (name: SegmentName) => void) {
    this.workerId = workerId;
    this.bytesMax = segmentCountMax * SEGMENT_BYTES;
    this.onPut = onPut;
    this.transfer = {
      address: workerId,
      copy: async (sequenceId, segment, from) => {
        const source = all.find((one) => one.workerId === from);
        return source?.segments.has(nameOf({ sequenceId, segment })) === true && this.#take({ sequenceId, segment });
      },
      drop: (sequenceId, segment) => this.#drop(nameOf({ sequenceId, segment })),
    };
    const bytesKept = () => this.kept.size * SEGMENT_BYTES;
    this.keeping = {
      get bytesKept() {
        return bytesKept();
      },
      keep: (sequenceId, segment) => {
        const name = { sequenceId, segment };
        if (this.segments.has(nameOf(name))) this.kept.set(nameOf(name), name);
      },
      use: async (sequenceId, segments) => {
        for (const segment of segments) this.kept.delete(nameOf({ sequenceId, segment }));
        return segments.filter((segment) => this.segments.has(nameOf({ sequenceId, segment })));
      },
      takeGone: () => this.#gone.splice(0),
    };
  }

  get bytesFree(): number {
    return this.bytesMax - (this.segments.size - this.kept.size) * SEGMENT_BYTES;
  }

  async put(rows: SegmentRows): Promise<boolean> {
    const isTaken = this.#take(rows);
    if (isTaken) this.onPut(rows);
    return isTaken;
  }

  async attend(): Promise<undefined> {
    return undefined;
  }

  drop(sequenceId: string): void {
    for (const name of this.segments) if (name.startsWith(`${sequenceId} `)) this.#drop(name);
  }

  /** Another attention worker needs the room: it lets go of what was kept longest. */
  evict(): void {
    const [first] = this.kept.values();
    if (first === undefined) return;
    this.#drop(nameOf(first));
    this.#gone.push(first);
  }

  die(): void {
    this.life += 1;
    this.segments.clear();
    this.kept.clear();
    this.#gone = [];
  }

  #take({ sequenceId, segment }: SegmentName): boolean {
    if (this.bytesFree < SEGMENT_BYTES) return false;
    if (this.bytesMax - this.segments.size * SEGMENT_BYTES < SEGMENT_BYTES) this.evict();
    this.segments.add(nameOf({ sequenceId, segment }));
    return true;
  }

  #drop(name: string): void {
    this.segments.delete(name);
    this.kept.delete(name);
  }
}

/** Sends a message of its own to whoever waits: promises are over, and nothing else is under way. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Prompts that begin alike: of `branch` 0 all have the same tokens; of another one those from segment `from` on differ. */
function promptOf(length: number, branch = 0, from = 0): number[] {
  return Array.from({ length }, (_, i) => (i >= from * segmentRows ? 1 + branch * 100_000 + i : 1 + i));
}

function opened(segmentCountMax: number, holderCount = 2, shape: KvGeometry = geometry) {
  const holders: Holder[] = [];
  /** Of each segment that was put, by its name: the tokens before its end. */
  const contents = new Map<string, string>();
  /** What the sequence that puts something at this moment has computed. */
  const computed = new Map<string, readonly number[]>();
  const onPut = ({ sequenceId, segment }: SegmentName) => {
    const tokens = computed.get(sequenceId);
    assert(tokens !== undefined, "a sequence that puts a segment was opened");
    contents.set(nameOf({ sequenceId, segment }), tokens.slice(0, (segment + 1) * segmentRows).join());
  };
  for (let i = 0; i < holderCount; i++) holders.push(new Holder(`context-${i}`, holders, segmentCountMax, onPut));
  const sequences = new StoredSequences(shape, new EmptyStorage(shape), {
    cache: { bytesMax: 2 ** 26, prefixCache: true },
    hashSeed: { modelFingerprint: "m", salt: "" },
    stripes: { above: 1000, name: "worker", holders: () => holders },
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
        expect((holder as Holder).segments).toContain(name);
        expect((holder as Holder).kept.has(name)).toBe(false);
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

const LENGTH = 3 * segmentRows + 100;

test("a prompt that comes again finds its segments, and computes what is behind them", async () => {
  const { holders, sequences, open, compute, counts } = opened(10);
  const tokens = promptOf(LENGTH);
  const first = await open(tokens);
  expect(first.cachedCount).toBe(0);
  expect(await compute(first, tokens)).toBe(LENGTH);
  sequences.close(first);
  expect(counts()).toEqual([3, 3]);
  expect(sequences.digest().global.count).toBe((3 * segmentRows) / BLOCK_TOKENS);
  const second = await open(tokens);
  expect(second.cachedCount).toBe(3 * segmentRows);
  expect(counts()).toEqual([3, 0]);
  expect(await compute(second, tokens)).toBe(LENGTH - 3 * segmentRows);
  sequences.close(second);
  expect(counts()).toEqual([3, 3]);
  // The last one goes first.
  at(holders, 1).evict();
  expect(sequences.takeEvents().map(({ operation }) => operation)).toEqual(["added", "removed"]);
  expect(sequences.digest().global.count).toBe((2 * segmentRows) / BLOCK_TOKENS);
  for (const holder of holders) while (holder.kept.size > 0) holder.evict();
  sequences.takeEvents();
  expect(counts()).toEqual([0, 0]);
  expect(sequences.digest().global).toEqual({ low: 0, high: 0, count: 0 });
  sequences.cache.checkIntegrity();
});

test("the last token is computed, also of a prompt that ends with a segment; with other salts and without reuse all are", async () => {
  const { sequences, open, compute } = opened(20);
  const tokens = promptOf(2 * segmentRows);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  const again = await open(tokens);
  expect(again.cachedCount).toBe(segmentRows);
  const found = [await open(tokens, "tenant"), await open(tokens, "", false)];
  expect(found.map(({ cachedCount }) => cachedCount)).toEqual([0, 0]);
});

test("sequences that begin alike read the same segments at one time, and each has its own behind them", async () => {
  const { sequences, open, compute, counts } = opened(20);
  const [tokens, other] = [promptOf(LENGTH), promptOf(LENGTH, 1, 2)];
  const one = await open(tokens);
  await compute(one, tokens);
  const two = await open(other);
  expect(two.cachedCount).toBe(2 * segmentRows);
  expect(await compute(two, other)).toBe(LENGTH - 2 * segmentRows);
  expect(counts()).toEqual([4, 0]);
  expect(two.stripes?.shares(3)?.map(({ segments }) => segments)).toEqual(expect.arrayContaining([[2]]));
  sequences.close(one);
  expect(counts()).toEqual([4, 1]);
  sequences.close(two);
  expect(counts()).toEqual([4, 4]);
});

test("what is kept gives way to what is open, and what was used last stays longest", async () => {
  const { sequences, open, compute, counts } = opened(4, 1);
  const old = promptOf(LENGTH);
  const first = await open(old);
  await compute(first, old);
  sequences.close(first);
  const other = promptOf(2 * segmentRows + 100, 1);
  const second = await open(other);
  expect(await compute(second, other)).toBe(other.length);
  expect(counts()).toEqual([4, 2]);
  const again = await open(promptOf(2 * segmentRows + 1));
  expect(again.cachedCount).toBe(2 * segmentRows);
});

test("of a chain with a gap no more is computed than the gap", async () => {
  const { holders, sequences, open, compute } = opened(10);
  const tokens = promptOf(5 * segmentRows + 100);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  // It has segments 1 and 3.
  const holder = at(holders, 0);
  expect([...holder.segments].map((name) => name.split(" ")[1])).toEqual(["1", "3"]);
  holder.die();
  const second = await open(tokens);
  expect(second.cachedCount).toBe(3 * segmentRows);
  expect(await compute(second, tokens)).toBe(2 * segmentRows + 100);
  sequences.close(second);
  const third = await open(tokens);
  expect(third.cachedCount).toBe(5 * segmentRows);
});

test("what a holder lets go of before it hears that it is read again is computed again", async () => {
  const { holders, sequences, open, compute } = opened(10, 1);
  const tokens = promptOf(LENGTH);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  const holder = at(holders, 0);
  const { use } = holder.keeping;
  Object.assign(holder.keeping, {
    use: (sequenceId: string, segments: readonly number[]) => {
      holder.evict();
      return use(sequenceId, segments);
    },
  });
  const second = await open(tokens);
  expect(second.stripes?.lost).toBe(2);
  expect(await compute(second, tokens)).toBe(segmentRows + 100);
});

test("segments that nobody reads leave a holder that drains without a step, and go where there is no room", async () => {
  const { holders, sequences, open, compute, counts } = opened(4);
  const tokens = promptOf(LENGTH);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  const [leaving, staying] = [at(holders, 1), at(holders, 0)];
  expect(leaving.segments.size).toBe(2);
  leaving.draining = true;
  sequences.holdersChanged();
  await settled();
  expect([leaving.segments.size, staying.segments.size, staying.kept.size]).toEqual([0, 3, 3]);
  leaving.die();
  const second = await open(tokens);
  expect(second.cachedCount).toBe(3 * segmentRows);
  sequences.close(second);
  staying.draining = true;
  sequences.holdersChanged();
  await settled();
  expect(counts()).toEqual([0, 0]);
  expect(sequences.digest().global.count).toBe(0);
});

test("without a prefix cache nothing stays with anybody", async () => {
  const holders: Holder[] = [];
  holders.push(new Holder("context-0", holders, 10, () => undefined));
  const sequences = new StoredSequences(geometry, new EmptyStorage(geometry), {
    cache: { bytesMax: 2 ** 26, prefixCache: false },
    hashSeed: { modelFingerprint: "m", salt: "" },
    stripes: { above: 1000, name: "worker", holders: () => holders },
  });
  const tokenIds = promptOf(LENGTH);
  const prompt = { tokenIds, blockHashes: new Uint8Array(), images: [], reuse: true, rowCountMax: LENGTH };
  const sequence = sequences.open(prompt);
  for (let rows = 0; rows < LENGTH; rows += 100) {
    await settled();
    expect(sequences.reserve(sequence, 100)).toBe(true);
    sequences.commit(sequence, Int32Array.from(tokenIds.slice(sequence.length, sequence.length + 100)));
  }
  await settled();
  expect(at(holders, 0).segments.size).toBe(3);
  sequences.close(sequence);
  await settled();
  expect(at(holders, 0).segments.size).toBe(0);
});

type Action = Readonly<{
  kind: "open" | "compute" | "close" | "die" | "evict" | "drain";
  which: number;
  branch: number;
  from: number;
}>;

test("whatever ends, dies, drains and is let go of: what is read is the sequence's own beginning, and what is open is all that stays", async () => {
  const kind = fc.constantFrom<Action["kind"]>("open", "compute", "compute", "close", "close", "die", "evict", "drain");
  const action = fc.record({ kind, which: fc.nat(5), branch: fc.nat(2), from: fc.nat(2) });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), fc.integer({ min: 4, max: 9 }), async (actions, room) => {
      const { holders, sequences, open, compute, counts, expectRight } = opened(room);
      const running: { sequence: StoredSequence; tokens: readonly number[] }[] = [];
      for (const { kind: what, which, branch, from } of actions) {
        const one = running[which % Math.max(1, running.length)];
        const holder = at(holders, which % holders.length);
        if (what === "open") {
          const tokens = promptOf((1 + (which % 4)) * segmentRows + 50, branch, from);
          if (sequences.isStriped(tokens.length + 1)) running.push({ tokens, sequence: await open(tokens) });
        }
        if (what === "compute" && one !== undefined) await compute(one.sequence, one.tokens, one.tokens.length - from);
        if (what === "close" && one !== undefined) {
          sequences.close(one.sequence);
          running.splice(running.indexOf(one), 1);
        }
        if (what === "die") holder.die();
        if (what === "evict") holder.evict();
        if (what === "drain") {
          holder.draining = !holder.draining;
          sequences.holdersChanged();
        }
        await settled();
        for (const { sequence, tokens } of running) {
          sequences.repair(sequence);
          expectRight(sequence, tokens);
        }
        sequences.takeEvents();
        sequences.cache.checkIntegrity();
      }
      for (const { sequence } of running) sequences.close(sequence);
      await settled();
      sequences.takeEvents();
      const [held, kept] = counts();
      expect(held).toBe(kept);
      // What is kept is what the cluster is told of.
      expect(sequences.digest().global.count * BLOCK_TOKENS).toBe((held ?? 0) * segmentRows);
      expect(sequences.kvBytesUsed).toBe(0);
    }),
    { numRuns: 40 },
  );
});
