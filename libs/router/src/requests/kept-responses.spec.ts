import { DroverError, neverAborted } from "@drover/core";
import { RecordingLogger, SimClock } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { KEPT_RESPONSE_BYTES_MAX, KEPT_RESPONSES_BYTES_MAX } from "../limits.ts";
import { type KeepingStore, KeptResponses } from "./kept-responses.ts";

class Store implements KeepingStore {
  readonly values = new Map<string, Uint8Array>();
  fault: DroverError | undefined;

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (this.fault !== undefined) throw this.fault;
    this.values.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.values.get(key);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.values.delete(key);
  }
}

const response = (text: string) => ({ model: "tiny", response: { text }, conversation: { messages: [], images: [] } });

describe("kept responses", () => {
  it("are given as they were until they are forgotten, each router's to any other", async () => {
    const store = new Store();
    const [one, other] = [1, 2].map(() => new KeptResponses(store, 1000, new SimClock(), new RecordingLogger()));
    await one?.keep("", "resp_a", response("é"), neverAborted);
    expect(await other?.get("", "resp_a", neverAborted)).toEqual(response("é"));
    await other?.forget("", "resp_a", neverAborted);
    expect(await one?.get("", "resp_a", neverAborted)).toBeUndefined();
    await expect(one?.named("", "resp_a", neverAborted)).rejects.toMatchObject({ code: "not_found" });
  });

  it("have no more bytes than their bounds, the oldest going first", async () => {
    const store = new Store();
    const kept = new KeptResponses(store, 1000, new SimClock(), new RecordingLogger());
    await kept.keep("", "resp_huge", response("x".repeat(KEPT_RESPONSE_BYTES_MAX)), neverAborted);
    expect(store.values.size).toBe(0);
    const text = "x".repeat(KEPT_RESPONSE_BYTES_MAX / 2);
    // A response has some bytes more than its text.
    const count = (2 * KEPT_RESPONSES_BYTES_MAX) / KEPT_RESPONSE_BYTES_MAX;
    for (let i = 0; i < count; i++) await kept.keep("", `resp_${i}`, response(text), neverAborted);
    expect([...store.values.keys()]).toEqual(Array.from({ length: count - 1 }, (_, i) => `response/resp_${i + 1}`));
  });

  it("count once however often they are kept anew, as those in the background are with each of their states", async () => {
    const store = new Store();
    const kept = new KeptResponses(store, 1000, new SimClock(), new RecordingLogger());
    const text = "x".repeat(KEPT_RESPONSE_BYTES_MAX / 2);
    await kept.keep("", "resp_a", response(text), neverAborted);
    const once = kept.held;
    for (let i = 0; i < (4 * KEPT_RESPONSES_BYTES_MAX) / KEPT_RESPONSE_BYTES_MAX; i++)
      await kept.keep("", "resp_a", response(text), neverAborted);
    expect(kept.held).toEqual(once);
    expect(store.values.size).toBe(1);
  });

  it("are not counted any more once their time is over, or once they are forgotten", async () => {
    const clock = new SimClock();
    const kept = new KeptResponses(new Store(), 1000, clock, new RecordingLogger());
    for (let i = 0; i < 10; i++) await kept.keep("", `resp_${i}`, response("a"), neverAborted);
    await kept.forget("", "resp_0", neverAborted);
    expect(kept.held.count).toBe(9);
    await clock.advance(600);
    await kept.keep("", "resp_1", response("a"), neverAborted);
    await clock.advance(600);
    kept.sweep();
    expect(kept.held.count).toBe(1);
    await clock.advance(600);
    kept.sweep();
    expect(kept.held).toEqual({ count: 0, byteCount: 0 });
  });

  it("leave an answer as it is where the store takes nothing, and say so without its text", async () => {
    const store = new Store();
    const logger = new RecordingLogger();
    store.fault = new DroverError("unavailable", "away");
    await new KeptResponses(store, 1000, new SimClock(), logger).keep("", "resp_a", response("secret"), neverAborted);
    expect(JSON.stringify(logger.lines)).toContain("response.not_kept");
    expect(JSON.stringify(logger.lines)).not.toContain("secret");
  });

  it("are none where none is wanted, and other keys of the store are never given", async () => {
    const store = new Store();
    await new KeptResponses(store, 0, new SimClock(), new RecordingLogger()).keep(
      "",
      "resp_a",
      response("a"),
      neverAborted,
    );
    expect(store.values.size).toBe(0);
    store.values.set("response/../payload", new Uint8Array(1));
    expect(
      await new KeptResponses(store, 1, new SimClock(), new RecordingLogger()).get("", "../payload", neverAborted),
    ).toBeUndefined();
  });
});
