import { digestOf } from "@drover/kv";
import { describe, expect, it } from "vitest";
import { CACHE_FRAME_BYTES } from "../limits.ts";
import { changesOf, snapshotParts } from "./cache-report.ts";

const FRAME = CACHE_FRAME_BYTES;
const bytes = (count: number) => new Uint8Array(count).map((_, i) => i % 251);
const digest = { sequence: 3, global: digestOf(bytes(32)), local: digestOf(new Uint8Array()) };

describe("what a worker reports of its cache", () => {
  it("events keep their order over messages of a bounded size, and the digest is in the last one", () => {
    const events = [1, 2, 3].map((sequence) => ({
      sequence,
      operation: sequence === 2 ? ("removed" as const) : ("added" as const),
      kind: "local" as const,
      hashes: bytes(FRAME / 2),
    }));
    const messages = changesOf(events, digest);
    expect(messages.map(({ events: part }) => part.map(({ sequence, operation }) => [sequence, operation]))).toEqual([
      [
        [1, "added"],
        [2, "removed"],
      ],
      [[3, "added"]],
    ]);
    expect(messages.map((message) => message.digest?.global.count)).toEqual([undefined, 2]);
  });

  it("a digest goes out alone when nothing has changed", () => {
    expect(changesOf([], digest)).toMatchObject([{ events: [], digest: { sequence: 3 } }]);
  });

  it("a snapshot is whole when its parts are put together, and an empty one is one part", () => {
    const snapshot = { sequence: 9, global: bytes(FRAME + 16), local: bytes(48) };
    const parts = snapshotParts(snapshot);
    expect(parts.map(({ hashes, first, last }) => [hashes.byteLength, first, last])).toEqual([
      [FRAME, true, false],
      [16, false, false],
      [48, false, true],
    ]);
    expect(Buffer.concat(parts.slice(0, 2).map(({ hashes }) => hashes)).equals(snapshot.global)).toBe(true);
    const none = new Uint8Array();
    expect(snapshotParts({ sequence: 1, global: none, local: none })).toMatchObject([{ first: true, last: true }]);
  });
});
