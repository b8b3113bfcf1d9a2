import { CacheSnapshotPartSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cacheSnapshotPartFromWire, cacheSnapshotPartToWire } from "./cache-snapshot.ts";
import { cacheSnapshotPart } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

describe("a part of a snapshot of a prefix cache", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(cacheSnapshotPart, (value) => {
        expect(cacheSnapshotPartFromWire(travelled(CacheSnapshotPartSchema, cacheSnapshotPartToWire(value)))).toEqual(
          value,
        );
      }),
    );
  });
});
