import { DroverError, untilAborted } from "@drover/core";
import type { FeatureCache } from "./feature-cache.ts";

/** What computes features; a queue of its own stands before it. Takes the pixels over. */
export interface TileEncoder {
  encode(tileCount: number, pixels: Uint8Array, signal: AbortSignal): Promise<Float32Array>;
}

/** One image's encoding, for everyone who waits for it. */
type Encoding = { readonly rows: Promise<Float32Array>; readonly abandoned: AbortController; waiterCount: number };

/** Encodes each image once, whoever asks for it meanwhile, and keeps what came of it. */
export class FeatureEncodings {
  readonly #encoder: TileEncoder;
  readonly #cache: FeatureCache;
  readonly #running = new Map<string, Encoding>();

  constructor(encoder: TileEncoder, cache: FeatureCache) {
    this.#encoder = encoder;
    this.#cache = cache;
  }

  /** Whether an encoding of this image runs that {@link join} can wait for. */
  has(contentHash: string): boolean {
    return this.#joinable(contentHash) !== undefined;
  }

  /** Starts an encoding; its features are in the cache when {@link join} resolves. Does nothing where one runs. */
  start(contentHash: string, tileCount: number, pixels: Uint8Array): void {
    if (this.has(contentHash)) return;
    const abandoned = new AbortController();
    const rows = this.#encode(contentHash, tileCount, pixels, abandoned.signal);
    const encoding: Encoding = { rows, abandoned, waiterCount: 0 };
    this.#running.set(contentHash, encoding);
    const ended = () => {
      if (this.#running.get(contentHash) === encoding) this.#running.delete(contentHash);
    };
    // Whoever waits gets the error; nobody may be left to.
    rows.then(ended, ended);
  }

  /** Features of an image whose encoding runs. It is given up when all have left. Errors: the encoder's; the signal's reason. */
  async join(contentHash: string, signal: AbortSignal): Promise<Float32Array> {
    const encoding = this.#joinable(contentHash);
    if (encoding === undefined) throw new DroverError("not_found", "no encoding of this image runs");
    encoding.waiterCount += 1;
    try {
      return await untilAborted(encoding.rows, signal);
    } finally {
      encoding.waiterCount -= 1;
      if (encoding.waiterCount === 0) encoding.abandoned.abort(new DroverError("cancelled", "nobody waits any more"));
    }
  }

  async #encode(contentHash: string, tileCount: number, pixels: Uint8Array, abandoned: AbortSignal) {
    const rows_aD = await this.#encoder.encode(tileCount, pixels, abandoned);
    this.#cache.put(contentHash, rows_aD);
    return rows_aD;
  }

  /** One that was given up may yet come to its end, but nobody can count on it. */
  #joinable(contentHash: string): Encoding | undefined {
    const encoding = this.#running.get(contentHash);
    return encoding?.abandoned.signal.aborted ? undefined : encoding;
  }
}
