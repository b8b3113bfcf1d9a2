import {
  at,
  DroverError,
  type PayloadStore,
  type PutCondition,
  requestId,
  routerId,
  type TokenEvent,
} from "@drover/core";
import { SimClock } from "@drover/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KEYED_AWAY_MS_MAX, KEYED_LOOK_MS } from "../limits.ts";
import { type Delivered, segmentBytes, segmentKey } from "./answer-segments.ts";
import { AnswerTail } from "./answer-tail.ts";
import { KeyedKeys } from "./keyed-keys.ts";
import { type KeyedRecord, keyedRecordBytes } from "./keyed-record.ts";

const NAME = "keyed/a";
const ORIGIN = { id: requestId("r"), seed: 1, createdS: 0, contextTokensMax: 100 };
const DIGEST = new Uint8Array(16).fill(7);
const OWNER = routerId("owner");
const running = { kind: "running", digest: "d", origin: ORIGIN, epoch: 1, routerId: OWNER } as const;

class Store implements PayloadStore {
  readonly values = new Map<string, Uint8Array>();
  fault: DroverError | undefined;

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.values.set(key, bytes);
  }

  async putIf(key: string, bytes: Uint8Array, _ttlMs: number, { key: looked, bytes: wanted }: PutCondition) {
    const found = this.values.get(looked);
    const holds = found && wanted ? Buffer.compare(found, wanted) === 0 : found === wanted;
    if (holds) this.values.set(key, bytes);
    return holds;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    if (this.fault !== undefined) throw this.fault;
    return this.values.get(key);
  }

  async delete(): Promise<void> {
    this.values.clear();
  }

  record(record: Exclude<KeyedRecord, { kind: "foreign" }>): void {
    this.values.set(NAME, keyedRecordBytes(record));
  }

  segment(index: number, epoch: number, delivered: readonly Delivered[]): void {
    this.values.set(segmentKey(NAME, ORIGIN, index), segmentBytes(DIGEST, epoch, delivered));
  }

  set lives(lives: boolean) {
    if (lives) this.values.set(`keyed-router/${OWNER}`, Uint8Array.of(1));
    else this.values.delete(`keyed-router/${OWNER}`);
  }
}

const token = (index: number): Delivered => {
  const event: TokenEvent = {
    kind: "token",
    choice: 0,
    index,
    tokenId: index,
    logprob: 0,
    top: [],
    experts: new Uint16Array(),
    finish: undefined,
  };
  return { prompt: 0, event };
};
const indexOf = ({ event }: Delivered) => (event.kind === "token" ? event.index : -1);

function scene() {
  const clock = new SimClock();
  const store = new Store();
  store.record(running);
  store.lives = true;
  const keys = new KeyedKeys(store, routerId("mine"), clock);
  const tail = new AnswerTail({ store, keys, clock, name: NAME, record: running, promptDigest: DIGEST });
  const taken: number[] = [];
  const over = new AbortController();
  const reader = {
    take: (some: readonly Delivered[]) => void taken.push(...some.map(indexOf)),
    caughtUp: () => undefined,
  };
  const end = tail.read(reader, clock.now() + 60_000, over.signal);
  end.catch(() => undefined);
  const look = () => clock.advance(KEYED_LOOK_MS);
  return { clock, store, tail, taken, end, look, over };
}

describe("what another router delivers of a keyed request", () => {
  it("is taken once and in order, however it is written and whoever goes on with it", async () => {
    const writes = fc.array(
      fc.record({ count: fc.integer({ min: 1, max: 400 }), full: fc.boolean(), next: fc.boolean() }),
      {
        maxLength: 12,
      },
    );
    await fc.assert(
      fc.asyncProperty(writes, async (steps) => {
        const { store, taken, end, look } = scene();
        let [index, epoch, written] = [0, 1, 0];
        let segment: Delivered[] = [];
        for (const { count, next } of steps) {
          for (let i = 0; i < count; i++) segment.push(token(written++));
          store.segment(index, epoch, segment);
          const isFull = segmentBytes(DIGEST, epoch, segment).length >= 4096;
          // Another router goes on behind a segment that is not full.
          if (next) store.record({ ...running, epoch: ++epoch });
          if (isFull || next) [index, segment] = [index + 1, []];
          await look();
        }
        await look();
        store.record({ kind: "done", digest: "d", parts: ["whole"] });
        await look();
        expect(await end).toMatchObject({ kind: "done", parts: ["whole"] });
        expect(taken).toEqual(Array.from({ length: written }, (_, i) => i));
      }),
      { numRuns: 20 },
    );
  });

  it("becomes this router's where the other one has gone, with all that it had delivered", async () => {
    const { store, taken, end, look, tail } = scene();
    store.segment(0, 1, [token(0)]);
    await look();
    store.segment(0, 1, [token(0), token(1)]);
    store.lives = false;
    await look();
    const claimed = await end;
    expect(claimed.kind === "claimed" && claimed.claim.record).toMatchObject({ epoch: 2, routerId: "mine" });
    expect(claimed.kind === "claimed" && claimed.segments.delivered.slice(tail.takenCount)).toEqual([]);
    expect(taken).toEqual([0, 1]);
  });

  it("is waited for while the store is away, and given up with 503 when that takes too long", async () => {
    const { store, clock, taken, end, look } = scene();
    store.fault = new DroverError("deadline_exceeded", "the queue did not answer within 5 s");
    await look();
    store.fault = undefined;
    store.segment(0, 1, [token(0)]);
    await look();
    expect(taken).toEqual([0]);
    store.fault = new DroverError("unavailable", "away");
    for (let ms = 0; ms <= KEYED_AWAY_MS_MAX; ms += KEYED_LOOK_MS) await clock.advance(KEYED_LOOK_MS);
    await expect(end).rejects.toMatchObject({ code: "unavailable" });
  });

  it.each([
    ["that failed", { kind: "free" } as const, "unavailable"],
    ["whose key another request has by now", { ...running, digest: "e" }, "idempotency_key_in_use"],
    ["that is computed anew", { ...running, origin: { ...ORIGIN, id: requestId("s") } }, "idempotency_key_in_use"],
  ])("is given up for one %s", async (_, record, code) => {
    const { store, end, look } = scene();
    store.record(record);
    await look();
    await expect(end).rejects.toMatchObject({ code });
  });

  it("is not waited for beyond what a request may take, nor for a reader who has left", async () => {
    const late = scene();
    for (let i = 0; i < 60_000 / KEYED_LOOK_MS; i++) await late.look();
    await expect(late.end).rejects.toMatchObject({ code: "deadline_exceeded" });
    const left = scene();
    left.over.abort(new DroverError("cancelled", "gone"));
    await left.look();
    await expect(left.end).rejects.toMatchObject({ code: "cancelled" });
    expect(at([left.taken.length], 0)).toBe(0);
  });
});
