import { DroverError, type Logger, type PayloadStore, toDroverError } from "@drover/core";
import { type KeptNames, type KeptParts, type KeptResponse, keptItem, responseOfItem } from "@drover/openai";
import { KEPT_RESPONSE_BYTES_MAX, KEPT_RESPONSES_BYTES_MAX } from "../limits.ts";

const keyOf = (id: string) => `response/${id}`;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Responses that are kept for requests that go on with them, beside the payloads of waiting requests: by time, and of each router by bytes, the oldest
 * first. An answer is sent whether it could be kept or not.
 */
export class KeptResponses {
  readonly #store: PayloadStore;
  readonly #keptMs: number;
  readonly #logger: Logger;
  /** Bytes of those that this router has kept, the oldest first. */
  readonly #sizes = new Map<string, number>();
  #byteCount = 0;

  /** `keptMs`: for so long each; 0: none is kept. */
  constructor(store: PayloadStore, keptMs: number, logger: Logger) {
    this.#store = store;
    this.#keptMs = keptMs;
    this.#logger = logger;
  }

  /** A response by its id; undefined where it is not kept. Errors: `unavailable` when the store cannot be reached. */
  async get(id: string, signal: AbortSignal): Promise<KeptResponse | undefined> {
    if (this.#keptMs === 0 || !/^resp_[\w-]{1,100}$/.test(id)) return undefined;
    const bytes = await this.#store.get(keyOf(id), signal);
    return bytes && (JSON.parse(decoder.decode(bytes)) as KeptResponse);
  }

  /** What is kept of what a request names. Errors: as {@link get}. */
  async parts({ previousId, itemIds }: KeptNames, signal: AbortSignal): Promise<KeptParts> {
    const previous = previousId === undefined ? undefined : await this.get(previousId, signal);
    const items = new Map<string, unknown>();
    const idsOf = new Map<string, string[]>();
    for (const id of itemIds) {
      const response = responseOfItem(id);
      if (response !== undefined) idsOf.set(response, [...(idsOf.get(response) ?? []), id]);
    }
    // One after the other, and only the items stay: together they may be much.
    for (const [response, ids] of idsOf) {
      const kept = await this.get(response, signal);
      if (kept !== undefined) for (const id of ids) items.set(id, keptItem(kept, id));
    }
    return { previous, items };
  }

  /** As {@link get}. Errors: `not_found` where it is not kept. */
  async named(id: string, signal: AbortSignal): Promise<KeptResponse> {
    const kept = await this.get(id, signal);
    if (kept === undefined) throw new DroverError("not_found", "the response is not kept here");
    return kept;
  }

  /** Keeps a response; one that is too large, or that the store does not take, is not. */
  async keep(id: string, response: KeptResponse, signal: AbortSignal): Promise<void> {
    if (this.#keptMs === 0) return;
    const bytes = encoder.encode(JSON.stringify(response));
    if (bytes.length > KEPT_RESPONSE_BYTES_MAX) return;
    try {
      await this.#store.put(keyOf(id), bytes, this.#keptMs, signal);
      this.#sizes.set(id, bytes.length);
      this.#byteCount += bytes.length;
      await this.#dropOldest(signal);
    } catch (error) {
      const { code, message } = toDroverError(error);
      this.#logger.warn("response.not_kept", { response: id, code, reason: message });
    }
  }

  /** Forgets a response, where it is kept. Errors: `unavailable` when the store cannot be reached. */
  async forget(id: string, signal: AbortSignal): Promise<void> {
    this.#count(id);
    await this.#store.delete([keyOf(id)], signal);
  }

  async #dropOldest(signal: AbortSignal): Promise<void> {
    const dropped: string[] = [];
    for (const id of this.#sizes.keys()) {
      if (this.#byteCount <= KEPT_RESPONSES_BYTES_MAX) break;
      this.#count(id);
      dropped.push(keyOf(id));
    }
    if (dropped.length > 0) await this.#store.delete(dropped, signal);
  }

  #count(id: string): void {
    this.#byteCount -= this.#sizes.get(id) ?? 0;
    this.#sizes.delete(id);
  }
}
