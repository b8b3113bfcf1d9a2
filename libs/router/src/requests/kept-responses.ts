import { type Clock, DroverError, type Logger, type PayloadStore, toDroverError } from "@drover/core";
import { type KeptNames, type KeptParts, type KeptResponse, keptItem, responseOfItem } from "@drover/openai";
import { KEPT_RESPONSE_BYTES_MAX, KEPT_RESPONSE_ENTRY_BYTES, KEPT_RESPONSES_BYTES_MAX } from "../limits.ts";

/** Whose a response is: a tenant's name, empty for the house's own and where nobody is told apart. */
type Owner = string;

/** Where responses lie. */
export type KeepingStore = Pick<PayloadStore, "put" | "get" | "delete">;

const keyOf = (owner: Owner, id: string) => (owner === "" ? `response/${id}` : `response/${owner}/${id}`);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Responses that are kept for requests that go on with them, beside the payloads of waiting requests: by time, and of each router by bytes, the oldest
 * first. An answer is sent whether it could be kept or not.
 */
export class KeptResponses {
  readonly #store: KeepingStore;
  readonly #keptMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Of those that this router has kept and that time has not ended, the oldest first: what each counts, and until when. */
  readonly #entries = new Map<string, Readonly<{ byteCount: number; untilMs: number }>>();
  #byteCount = 0;

  /** `keptMs`: for so long each; 0: none is kept. */
  constructor(store: KeepingStore, keptMs: number, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#keptMs = keptMs;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** How many responses this router knows that it has kept, and what they count. */
  get held(): Readonly<{ count: number; byteCount: number }> {
    return { count: this.#entries.size, byteCount: this.#byteCount };
  }

  /** Whether any is kept. */
  get isOn(): boolean {
    return this.#keptMs > 0;
  }

  /** A response by its id; undefined where it is not kept, or is another owner's. Errors: `unavailable` when the store cannot be reached. */
  async get(owner: Owner, id: string, signal: AbortSignal): Promise<KeptResponse | undefined> {
    if (this.#keptMs === 0 || !/^resp_[\w-]{1,100}$/.test(id)) return undefined;
    const bytes = await this.#store.get(keyOf(owner, id), signal);
    return bytes && (JSON.parse(decoder.decode(bytes)) as KeptResponse);
  }

  /** What is kept of what a request names. Errors: as {@link get}. */
  async parts(owner: Owner, { previousId, itemIds }: KeptNames, signal: AbortSignal): Promise<KeptParts> {
    const previous = previousId === undefined ? undefined : await this.get(owner, previousId, signal);
    const items = new Map<string, unknown>();
    const idsOf = new Map<string, string[]>();
    for (const id of itemIds) {
      const response = responseOfItem(id);
      if (response !== undefined) idsOf.set(response, [...(idsOf.get(response) ?? []), id]);
    }
    // One after the other, and only the items stay: together they may be much.
    for (const [response, ids] of idsOf) {
      const kept = await this.get(owner, response, signal);
      if (kept !== undefined) for (const id of ids) items.set(id, keptItem(kept, id));
    }
    return { previous, items };
  }

  /** As {@link get}. Errors: `not_found` where it is not kept. */
  async named(owner: Owner, id: string, signal: AbortSignal): Promise<KeptResponse> {
    const kept = await this.get(owner, id, signal);
    if (kept === undefined) throw new DroverError("not_found", "the response is not kept here");
    return kept;
  }

  /** Keeps a response; one that is too large, or that the store does not take, is not. */
  async keep(owner: Owner, id: string, response: KeptResponse, signal: AbortSignal): Promise<void> {
    if (this.#keptMs === 0) return;
    const bytes = encoder.encode(JSON.stringify(response));
    if (bytes.length > KEPT_RESPONSE_BYTES_MAX) return;
    try {
      const key = keyOf(owner, id);
      await this.#store.put(key, bytes, this.#keptMs, signal);
      this.#count(key, bytes.length);
      await this.#dropOldest(signal);
    } catch (error) {
      const { code, message } = toDroverError(error);
      this.#logger.warn("response.not_kept", { response: id, code, reason: message });
    }
  }

  /** Forgets a response, where it is kept. Errors: `unavailable` when the store cannot be reached. */
  async forget(owner: Owner, id: string, signal: AbortSignal): Promise<void> {
    const key = keyOf(owner, id);
    this.#uncount(key);
    await this.#store.delete([key], signal);
  }

  /** Forgets what time has ended; for periodic calls. */
  sweep(): void {
    const nowMs = this.#clock.monotonic();
    for (const [key, { untilMs }] of this.#entries) {
      if (untilMs > nowMs) break;
      this.#uncount(key);
    }
  }

  async #dropOldest(signal: AbortSignal): Promise<void> {
    const dropped: string[] = [];
    for (const key of this.#entries.keys()) {
      if (this.#byteCount <= KEPT_RESPONSES_BYTES_MAX) break;
      this.#uncount(key);
      dropped.push(key);
    }
    if (dropped.length > 0) await this.#store.delete(dropped, signal);
  }

  /** What is kept anew takes the place of what was there, and its time begins anew. */
  #count(key: string, length: number): void {
    this.#uncount(key);
    const byteCount = length + KEPT_RESPONSE_ENTRY_BYTES;
    this.#entries.set(key, { byteCount, untilMs: this.#clock.monotonic() + this.#keptMs });
    this.#byteCount += byteCount;
  }

  #uncount(key: string): void {
    this.#byteCount -= this.#entries.get(key)?.byteCount ?? 0;
    this.#entries.delete(key);
  }
}
