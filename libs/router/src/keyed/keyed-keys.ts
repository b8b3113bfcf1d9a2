import { type Clock, DroverError, type PayloadStore, type RouterId, toDroverError } from "@drover/core";
import { KEYED_BEAT_MS, KEYED_FOREIGN_SILENCE_MS_MAX, KEYED_SILENCE_MS_MAX } from "../limits.ts";
import { readSegments, type Segments } from "./answer-segments.ts";
import { KeyedClaim } from "./keyed-claim.ts";
import { type KeyedRecord, keyedRecordOf, type RunningRecord } from "./keyed-record.ts";
import type { Origin } from "./origin.ts";

/** What a key is opened with. */
export type Opening = Readonly<{
  digest: string;
  /** The client has an event of the answer, and asks for the rest. */
  isRest: boolean;
  /** Where it is computed anew. */
  newOrigin: () => Origin;
}>;

/** A key's answer, or the right to make it, from what was delivered of it. */
export type Opened =
  | Readonly<{ kind: "done"; parts: readonly string[] }>
  | Readonly<{ kind: "claimed"; claim: KeyedClaim; segments: Segments }>
  /** Another router that lives computes it. */
  | Readonly<{ kind: "elsewhere"; record: RunningRecord }>;

/** What the store has under a key. */
export type Found = Readonly<{ bytes: Uint8Array; record: KeyedRecord }>;

const NO_SEGMENTS: Segments = { delivered: [], digest: undefined, count: 0, byteCount: 0 };

/** The keys in the store: who is at each of them, and whether that router lives. */
export class KeyedKeys {
  readonly #store: PayloadStore;
  readonly #routerId: RouterId;
  readonly #clock: Clock;
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #beatCount = 0;

  constructor(store: PayloadStore, routerId: RouterId, clock: Clock) {
    this.#store = store;
    this.#routerId = routerId;
    this.#clock = clock;
  }

  /** Says that this router lives, where it has not for a while. Errors: those of the store. */
  async beat(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#beatAtMs < KEYED_BEAT_MS / 2) return;
    this.#beatAtMs = nowMs;
    const bytes = new TextEncoder().encode(String(this.#beatCount++));
    await this.#store.put(beatKey(this.#routerId), bytes, KEYED_SILENCE_MS_MAX, signal);
  }

  /** Says that somebody reads, here, what another router computes. Errors: those of the store. */
  async tellReader(name: string, signal: AbortSignal): Promise<void> {
    await this.#store.put(readerKey(name), Uint8Array.of(1), KEYED_SILENCE_MS_MAX, signal);
  }

  /** Whether somebody reads at another router what this one computes. Errors: those of the store. */
  async hasReader(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#store.get(readerKey(name), signal)) !== undefined;
  }

  /**
   * A key's answer, or the claim to it: of a key that is nobody's, or whose router has gone, which is found out here. Errors: `idempotency_key_reused`;
   * `idempotency_key_in_use` where another router of an older build is at it and lives; `not_found` where the rest is asked for and what went before is not kept; those
   * of the store.
   */
  async open(name: string, opening: Opening, signal: AbortSignal): Promise<Opened> {
    for (;;) {
      const found = await this.find(name, signal);
      const { record } = found ?? {};
      if (record === undefined || record.kind === "free") {
        const opened = await this.#claimNew(name, found, opening, signal);
        if (opened !== undefined) return opened;
        continue;
      }
      if (record.digest !== opening.digest)
        throw new DroverError("idempotency_key_reused", "this Idempotency-Key was another request's: send a new one");
      if (record.kind === "done") return record;
      if (record.kind === "foreign") this.#checkGone(record);
      else if (await this.isElsewhere(record, signal)) return { kind: "elsewhere", record };
      const opened = await this.takeOver(name, found, record, opening, signal);
      if (opened !== undefined) return opened;
    }
  }

  /** A key's record, and its bytes. Errors: those of the store. */
  async find(name: string, signal: AbortSignal): Promise<Found | undefined> {
    const bytes = await this.#store.get(name, signal);
    return bytes && { bytes, record: keyedRecordOf(bytes) };
  }

  async #claimNew(
    name: string,
    found: Found | undefined,
    { digest, isRest, newOrigin }: Opening,
    signal: AbortSignal,
  ): Promise<Extract<Opened, { kind: "claimed" }> | undefined> {
    if (isRest) throw notKept();
    const record = { kind: "running", digest, origin: newOrigin(), epoch: 1, routerId: this.#routerId } as const;
    const claim = await this.#claim(name, found, record, signal);
    return claim && { kind: "claimed", claim, segments: NO_SEGMENTS };
  }

  /** The claim to what a router that has gone was at; undefined where another one was quicker. Errors: as {@link open}. */
  async takeOver(
    name: string,
    found: Found | undefined,
    record: Exclude<KeyedRecord, { kind: "free" | "done" }>,
    opening: Opening,
    signal: AbortSignal,
  ): Promise<Extract<Opened, { kind: "claimed" }> | undefined> {
    // Of what not all is kept, the rest may be another answer's.
    if (record.kind === "foreign" || record.isUnkept) return this.#claimNew(name, found, opening, signal);
    const next = { ...record, epoch: record.epoch + 1, routerId: this.#routerId };
    const claim = await this.#claim(name, found, next, signal);
    if (claim === undefined) return undefined;
    const segments = await readSegments(this.#store, name, record.origin, signal).catch((error: unknown) => {
      // A part that this build cannot read is as good as none.
      if (toDroverError(error).code === "invalid_argument") throw notKept();
      throw error;
    });
    return { kind: "claimed", claim, segments };
  }

  async #claim(
    name: string,
    found: Found | undefined,
    record: RunningRecord,
    signal: AbortSignal,
  ): Promise<KeyedClaim | undefined> {
    await this.beat(signal);
    return KeyedClaim.take(this.#store, name, found?.bytes, record, signal);
  }

  /** Errors: `idempotency_key_in_use` where a router of an older build is at it and lives. */
  #checkGone({ aliveAtMs }: Extract<KeyedRecord, { kind: "foreign" }>): void {
    if (this.#clock.now() - aliveAtMs <= KEYED_FOREIGN_SILENCE_MS_MAX) throw inUse();
  }

  /** Whether another router computes it that lives, which is as good as told by what it said last. Errors: those of the store. */
  async isElsewhere({ routerId }: RunningRecord, signal: AbortSignal): Promise<boolean> {
    if (routerId === undefined || routerId === this.#routerId) return false;
    return (await this.#store.get(beatKey(routerId), signal)) !== undefined;
  }
}

const readerKey = (name: string) => `${name}/reader`;
const beatKey = (router: RouterId) => `keyed-router/${router}`;

/** What who asks for a key is told that another router has. */
export function inUse(): DroverError {
  return new DroverError("idempotency_key_in_use", "another router is answering this Idempotency-Key: ask again", {
    retryAfterMs: KEYED_BEAT_MS,
  });
}

/** What a client that asks for the rest is told where there is nothing that it is the rest of. */
export function notKept(): DroverError {
  return new DroverError(
    "not_found",
    "what came before this Last-Event-ID is not kept: send the request without it, or with a new Idempotency-Key",
    { field: "Last-Event-ID" },
  );
}
