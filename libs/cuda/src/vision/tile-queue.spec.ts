import { expect, test } from "vitest";
import { type TileJob, TileQueue } from "./tile-queue.ts";

const job = (tileCount: number): TileJob => ({
  tileCount,
  pixels: new Uint8Array(10 * tileCount),
  features: new Float32Array(0),
  settle: Promise.withResolvers<Float32Array<ArrayBuffer>>(),
  takenCount: 0,
  began: 0,
  isAbandoned: false,
});

test("a run has the tiles of images in the order in which they came, and a large image is cut", () => {
  const queue = new TileQueue();
  const [one, large, last] = [job(1), job(6), job(2)];
  for (const each of [one, large, last]) queue.add(each);
  expect(queue.take(4)).toEqual([
    { job: one, first: 0, count: 1 },
    { job: large, first: 0, count: 3 },
  ]);
  expect(queue.take(4)).toEqual([
    { job: large, first: 3, count: 3 },
    { job: last, first: 0, count: 1 },
  ]);
  expect(queue.take(4)).toEqual([{ job: last, first: 1, count: 1 }]);
  expect(queue.take(4)).toEqual([]);
});

test("more images, or more bytes of them, than may wait are refused, and one that leaves makes room", () => {
  const [few, small] = [new TileQueue(1), new TileQueue(9, 30)];
  const first = job(1);
  few.add(first);
  expect(() => few.add(job(1))).toThrow(expect.objectContaining({ code: "overloaded" }));
  few.remove(first);
  few.add(job(1));
  small.add(job(2));
  expect(() => small.add(job(2))).toThrow(expect.objectContaining({ code: "overloaded" }));
  small.take(2);
  small.add(job(2));
});
