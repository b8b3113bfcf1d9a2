import { neverAborted } from "@drover/core";
import { SimClock } from "@drover/testkit";
import { expect, it } from "vitest";
import { EmbeddedPayloadStore } from "./embedded-payload-store.ts";

it("lets go of values whose time is over as others come, however long others live", async () => {
  const clock = new SimClock();
  const store = new EmbeddedPayloadStore(clock);
  const put = (key: string, ttlMs: number) => store.put(key, new Uint8Array(100), ttlMs, neverAborted);
  for (let i = 0; i < 10; i++) await put(`long-${i}`, 1_000_000);
  for (let i = 0; i < 1000; i++) {
    await put(`short-${i}`, 10);
    await clock.advance(1);
    // The ten that live, the ten whose time is not over, and those between two looks.
    expect(store.byteCount).toBeLessThanOrEqual(100 * 40);
  }
  for (let i = 0; i < 10; i++) expect(await store.get(`long-${i}`, neverAborted)).toHaveLength(100);
  expect(await store.get("short-999", neverAborted)).toHaveLength(100);
});
