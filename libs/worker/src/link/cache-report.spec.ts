import { digestOf } from "@drover/kv";
import { describe, expect, it } from "vitest";
import { WORKER_LIMITS } from "../limits.ts";
import { changesMessages, snapshotMessages } from "./cache-report.ts";

const FRAME = WORKER_LIMITS.cacheFrameBytes;
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
    const messages = changesMessages(events, digest);
    expect(messages.map(({ events: part }) => part.map(({ sequence, removed }) => [sequence, removed]))).toEqual([
      [
        [1n, false],
        [2n, true],
      ],
      [[3n, false]],
    ]);
    expect(messages.map((message) => message.digest?.global?.count)).toEqual([undefined, 2n]);
  });

  it("a digest goes out alone when nothing has changed", () => {
    expect(changesMessages([], digest)).toMatchObject([{ events: [], digest: { sequence: 3n } }]);
  });

  it("a snapshot is whole when its parts are put together, and an empty one is one part", () => {
    const snapshot = { sequence: 9, global: bytes(FRAME + 16), local: bytes(48) };
    const parts = snapshotMessages(snapshot);
    expect(parts.map(({ hashes, first, last }) => [hashes.byteLength, first, last])).toEqual([
      [FRAME, true, false],
      [16, false, false],
      [48, false, true],
    ]);
    expect(Buffer.concat(parts.slice(0, 2).map(({ hashes }) => hashes)).equals(snapshot.global)).toBe(true);
    const none = new Uint8Array();
    expect(snapshotMessages({ sequence: 1, global: none, local: none })).toMatchObject([{ first: true, last: true }]);
  });
});
