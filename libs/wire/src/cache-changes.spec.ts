import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CacheChangesSchema, KvKind } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cacheChangesFromWire, cacheChangesToWire } from "./cache-changes.ts";
import { cacheChanges } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

type Fields = Exclude<MessageInitShape<typeof CacheChangesSchema>, { $typeName: string }>;

describe("changes of a prefix cache", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(cacheChanges, (value) => {
        expect(cacheChangesFromWire(travelled(CacheChangesSchema, cacheChangesToWire(value)))).toEqual(value);
      }),
    );
  });

  it.each<[string, Fields]>([
    ["events.kind", { events: [{ hashes: new Uint8Array(16) }] }],
    ["events.hashes", { events: [{ kind: KvKind.LOCAL, hashes: new Uint8Array(15) }] }],
    ["digest.local", { digest: { global: {} } }],
  ])("with a wrong %s is refused, and the field is named", (field, fields) => {
    expect(() => cacheChangesFromWire(create(CacheChangesSchema, fields))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });
});
