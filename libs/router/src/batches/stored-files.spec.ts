import { neverAborted, type PayloadStore } from "@drover/core";
import { SimClock } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { StoredFiles } from "./stored-files.ts";

const HOUR_MS = 3_600_000;
const facts = { id: StoredFiles.newId(), filename: "a.jsonl", purpose: "batch", tenant: "" } as const;

/** Tells for how long each value was put. */
function recordingStore(): Readonly<{ store: PayloadStore; keptMs: Map<string, number> }> {
  const keptMs = new Map<string, number>();
  const store: PayloadStore = {
    put: async (key, _bytes, ttlMs) => void keptMs.set(key, ttlMs),
    putIf: async () => true,
    get: async () => undefined,
    delete: async () => undefined,
  };
  return { store, keptMs };
}

describe("a file", () => {
  it("lies in the store for as long as its client says, and never longer than all files", async () => {
    for (const [expiresAfterMs, expected] of [
      [HOUR_MS, HOUR_MS],
      [720 * HOUR_MS, 72 * HOUR_MS],
      [undefined, 72 * HOUR_MS],
    ] as const) {
      const { store, keptMs } = recordingStore();
      const files = new StoredFiles(store, new SimClock(), 72 * HOUR_MS);
      const file = await files.keep({ ...facts, expiresAfterMs }, new Uint8Array(1), neverAborted);
      expect(file.expires_at - file.created_at).toBe(expected / 1000);
      const own = [...keptMs].filter(([key]) => key.startsWith("file/"));
      expect(own.map(([, ms]) => ms)).toEqual([expected, expected]);
    }
  });
});
