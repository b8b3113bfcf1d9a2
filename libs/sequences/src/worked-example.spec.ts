import type { ContextHolder, SegmentRows } from "@drover/core";
import { kvGeometry, segmentBytes } from "@drover/kv";
import { expect, test } from "vitest";
import { ContextStripes } from "./context-stripes.ts";

/** The example of docs/stripes.md: chunks of 256 tokens, so that a global segment has 1,024 rows. */
const geometry = kvGeometry({ isGlobalLayer: [true], chunkSize: 256, kvHeadCount: 1, headDim: 8 }, "f32");
const ROOM = 3 * segmentBytes(geometry);

/** A context worker that has room for three segments, and notes which it has got. */
class NotingHolder implements ContextHolder {
  readonly workerId: string;
  readonly bytesMax = ROOM;
  connected = true;
  readonly draining = false;
  readonly transfer = undefined;
  life = 1;
  segments: number[] = [];

  constructor(workerId: string) {
    this.workerId = workerId;
  }

  get bytesFree(): number {
    return ROOM - this.segments.length * segmentBytes(geometry);
  }

  async put({ segment }: SegmentRows): Promise<boolean> {
    this.segments.push(segment);
    return true;
  }

  async attend(): Promise<undefined> {
    return undefined;
  }

  drop(): void {
    this.segments = [];
  }
}

const rowsOf = (segment: number) => async (): Promise<SegmentRows> => ({
  sequenceId: "a/1",
  segment,
  rowCount: 1024,
  dtype: "f32",
  layers: [],
});

test("nothing is striped that the holders could not take when they are empty, and without holders nothing at all", () => {
  const holders: NotingHolder[] = [];
  const stripes = new ContextStripes(geometry, { above: 100, name: "worker", holders: () => holders });
  expect([101, 1023, 2000].map((rows) => stripes.includes(rows))).toEqual([false, false, false]);
  holders.push(new NotingHolder("a"));
  expect([100, 101, 3072, 3073].map((rows) => stripes.includes(rows))).toEqual([false, true, true, false]);
});

test("segments go to the holders in turn, are read there once they have arrived, and are lost with their holder's life", async () => {
  const [a, b] = [new NotingHolder("a"), new NotingHolder("b")];
  const stripes = new ContextStripes(geometry, { above: 2000, name: "worker", holders: () => [a, b] });
  expect([stripes.includes(2000), stripes.includes(5200)]).toEqual([false, true]);
  expect(stripes.rowsFree).toBe(6 * 1024);

  const sequence = stripes.open(5200);
  expect(stripes.rowsFree).toBe(1024);
  for (let segment = 0; segment < 5; segment++) {
    stripes.send(sequence, segment, rowsOf(segment));
    expect(sequence.end).toBe(segment);
    await Promise.all(sequence.underWay.values());
    expect(sequence.advance()).toBe(true);
  }
  expect([a.segments, b.segments]).toEqual([
    [1, 3],
    [0, 2, 4],
  ]);
  expect(sequence.shares(5)).toEqual([
    { holder: b, sequenceId: "worker/1", segments: [0, 2, 4] },
    { holder: a, sequenceId: "worker/1", segments: [1, 3] },
  ]);

  // Worker b starts again: what it had is gone, and the first such segment is computed again.
  b.life = 2;
  b.segments = [];
  expect([sequence.lost, sequence.shares(5)]).toEqual([0, undefined]);
  stripes.send(sequence, 0, rowsOf(0));
  await Promise.all(sequence.underWay.values());
  expect([b.segments, sequence.lost]).toEqual([[0], 2]);
  stripes.close(sequence);
  expect([a.segments, b.segments]).toEqual([[], []]);
});
