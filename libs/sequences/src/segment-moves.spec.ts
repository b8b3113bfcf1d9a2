import { at, type ContextHolder, type SegmentRows, type SegmentTransfer } from "@drover/core";
import { kvGeometry, segmentBytes } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ContextStripes } from "./context-stripes.ts";
import { SEGMENTS_MOVING_MAX } from "./limits.ts";
import type { SequenceStripes } from "./sequence-stripes.ts";

const geometry = kvGeometry({ isGlobalLayer: [true], chunkSize: 256, kvHeadCount: 1, headDim: 8 }, "f32");
const SEGMENT_BYTES = segmentBytes(geometry);

/** A copy that is under way. */
type Copying = Readonly<{ end: (isTaken: boolean) => void }>;

/** A context worker whose copies end when a test says so. */
class Holder implements ContextHolder {
  readonly workerId: string;
  readonly bytesMax: number;
  readonly transfer: SegmentTransfer;
  readonly segments = new Set<string>();
  connected = true;
  draining = false;
  life = 1;

  constructor(workerId: string, all: readonly Holder[], copies: Copying[], segmentCountMax: number) {
    this.workerId = workerId;
    this.bytesMax = segmentCountMax * SEGMENT_BYTES;
    this.transfer = {
      address: workerId,
      copy: async (sequenceId, segment, from) => {
        const { promise, resolve } = Promise.withResolvers<boolean>();
        const { life } = this;
        copies.push({ end: resolve });
        const isTaken = await promise;
        const source = all.find((one) => one.workerId === from);
        if (!isTaken || this.life !== life || source?.segments.has(`${sequenceId} ${segment}`) !== true) return false;
        return this.put({ sequenceId, segment });
      },
      drop: (sequenceId, segment) => void this.segments.delete(`${sequenceId} ${segment}`),
    };
  }

  get bytesFree(): number {
    return this.bytesMax - this.segments.size * SEGMENT_BYTES;
  }

  async put({ sequenceId, segment }: Pick<SegmentRows, "sequenceId" | "segment">): Promise<boolean> {
    if (this.bytesFree < SEGMENT_BYTES) return false;
    this.segments.add(`${sequenceId} ${segment}`);
    return true;
  }

  async attend(): Promise<undefined> {
    return undefined;
  }

  drop(sequenceId: string): void {
    for (const name of this.segments) if (name.startsWith(`${sequenceId} `)) this.segments.delete(name);
  }

  die(): void {
    this.life += 1;
    this.segments.clear();
  }
}

const rowsOf = (sequenceId: string, segment: number) => async (): Promise<SegmentRows> => ({
  ...{ sequenceId, segment, rowCount: geometry.segmentRows, dtype: "f32", layers: [] },
});

function opened(segmentCountMax: number) {
  const copies: Copying[] = [];
  const holders: Holder[] = [];
  for (const name of ["a", "b", "c"]) holders.push(new Holder(name, holders, copies, segmentCountMax));
  const stripes = new ContextStripes(geometry, { above: 100, name: "worker", holders: () => holders });
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  /** A sequence that may have so many segments, of which the first `count` are with holders. */
  const open = async (count: number, most = count) => {
    const sequence = stripes.open(most * geometry.segmentRows);
    await send(sequence, count);
    return sequence;
  };
  const send = async (sequence: SequenceStripes, count: number) => {
    for (let segment = sequence.end; segment < count; segment++)
      stripes.send(sequence, segment, rowsOf(sequence.sequenceId, segment));
    await settled();
    sequence.advance();
  };
  return { copies, holders, stripes, open, send, settled };
}

/** Every segment that is to be read is named once, and is where it is said to be; or one is known to be lost. */
function expectReadable(sequence: SequenceStripes): void {
  const shares = sequence.shares(sequence.end);
  expect(shares === undefined).toBe(sequence.lost !== undefined);
  const named: number[] = [];
  for (const { holder, segments } of shares ?? []) {
    named.push(...segments);
    for (const segment of segments) expect((holder as Holder).segments).toContain(`${sequence.sequenceId} ${segment}`);
    expect(segments).toEqual([...segments].sort((one, other) => one - other));
  }
  if (shares !== undefined) expect(named.sort((one, other) => one - other)).toEqual([...Array(sequence.end).keys()]);
}

test("segments leave a holder that drains, a few at a time, and are read where they were until a turn after they arrived", async () => {
  const { copies, holders, stripes, open, settled } = opened(20);
  const sequence = await open(9);
  const drained = at(holders, 0);
  drained.draining = true;
  const before = new Set(drained.segments);
  expect(before.size).toBe(3);
  stripes.move(sequence);
  expect(copies).toHaveLength(SEGMENTS_MOVING_MAX);
  copies.shift()?.end(true);
  await settled();
  expect(drained.segments).toEqual(before);
  expectReadable(sequence);
  // Where one has arrived the next is sent, also between turns.
  expect(copies).toHaveLength(SEGMENTS_MOVING_MAX);
  while (drained.segments.size > 0) {
    for (const copy of copies.splice(0)) copy.end(true);
    await settled();
    stripes.move(sequence);
    expectReadable(sequence);
  }
  expect(holders.map(({ segments }) => segments.size)).toEqual([0, expect.any(Number), expect.any(Number)]);
  drained.die();
  expect(sequence.lost).toBeUndefined();
  stripes.close(sequence);
  expect(holders.map(({ segments }) => segments.size)).toEqual([0, 0, 0]);
});

test("what open sequences may come to need is not given to segments that move", async () => {
  const { copies, holders, stripes, open, settled } = opened(3);
  const sequence = await open(3, 6);
  at(holders, 0).draining = true;
  for (let turns = 0; turns < 5; turns++) {
    stripes.move(sequence);
    for (const copy of copies.splice(0)) copy.end(true);
    await settled();
  }
  expect(holders.map(({ segments }) => segments.size)).toEqual([0, 2, 1].map(() => expect.any(Number)));
  expect(holders.reduce((sum, { segments }) => sum + segments.size, 0)).toBe(3);
  const [, ...others] = holders;
  const free = others.reduce((sum, { bytesFree }) => sum + bytesFree / SEGMENT_BYTES, 0);
  expect(free).toBeGreaterThanOrEqual(3);
});

test("a holder from which a segment does not get away is tried again, less and less often", async () => {
  const { copies, holders, stripes, open, settled } = opened(20);
  const sequence = await open(3);
  at(holders, 0).draining = true;
  const tries: number[] = [];
  for (let turn = 0; turn < 64; turn++) {
    stripes.move(sequence);
    if (copies.length > 0) tries.push(turn);
    for (const copy of copies.splice(0)) copy.end(false);
    await settled();
  }
  expect(tries).toEqual([0, 2, 6, 14, 30, 62]);
});

type Action = Readonly<{ kind: "open" | "grow" | "turn" | "drain" | "die" | "copy" | "fail" | "close"; which: number }>;

test("whatever drains, dies, fails and is closed while segments move: what is read is there, and nothing is left with anybody", async () => {
  const kind = fc.constantFrom<Action["kind"]>(
    "open",
    "grow",
    "turn",
    "turn",
    "drain",
    "die",
    "copy",
    "copy",
    "fail",
    "close",
  );
  const actions = fc.array(fc.record({ kind, which: fc.nat(5) }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(actions, fc.integer({ min: 2, max: 9 }), async (list, room) => {
      const { copies, holders, stripes, open, send, settled } = opened(room);
      const sequences: SequenceStripes[] = [];
      const act = async ({ kind: what, which }: Action) => {
        const sequence = sequences[which % Math.max(1, sequences.length)];
        const holder = at(holders, which % holders.length);
        if (what === "open") sequences.push(await open(1 + which));
        if (what === "grow" && sequence !== undefined) await send(sequence, sequence.end + 1);
        if (what === "turn" && sequence !== undefined) stripes.move(sequence);
        if (what === "drain") holder.draining = !holder.draining;
        if (what === "die") holder.die();
        if (what === "copy" || what === "fail") copies.shift()?.end(what === "copy");
        if (what === "close" && sequence !== undefined)
          stripes.close(at(sequences.splice(sequences.indexOf(sequence), 1), 0));
        await settled();
      };
      for (const action of list) {
        await act(action);
        for (const sequence of sequences) expectReadable(sequence);
      }
      for (const sequence of sequences) stripes.close(sequence);
      while (copies.length > 0) {
        copies.shift()?.end(true);
        await settled();
      }
      expect(holders.map(({ segments }) => segments.size)).toEqual([0, 0, 0]);
    }),
    { numRuns: 60 },
  );
});
