import { DroverError } from "@drover/core";
import { VISION_QUEUE_BYTES_MAX, VISION_QUEUE_MAX, VISION_RETRY_AFTER_MS } from "../limits.ts";

/** One image: its tiles' pixels, how many of the tiles a run has taken, and what has become of them. */
export type TileJob = {
  readonly tileCount: number;
  readonly pixels: Uint8Array;
  readonly features: Float32Array<ArrayBuffer>;
  readonly settle: PromiseWithResolvers<Float32Array<ArrayBuffer>>;
  takenCount: number;
  /** When its first tile was taken, ms. */
  began: number;
  isAbandoned: boolean;
};

/** Tiles [first, first + count) of an image. */
export type TilePart = Readonly<{ job: TileJob; first: number; count: number }>;

/** Images that wait to be encoded, in the order in which they came; what is in it is bounded. */
export class TileQueue {
  readonly #jobs: TileJob[] = [];
  readonly #queueMax: number;
  readonly #queueBytesMax: number;
  #byteCount = 0;

  constructor(queueMax: number = VISION_QUEUE_MAX, queueBytesMax: number = VISION_QUEUE_BYTES_MAX) {
    this.#queueMax = queueMax;
    this.#queueBytesMax = queueBytesMax;
  }

  /** Errors: `overloaded` where it is full. */
  add(job: TileJob): void {
    if (this.#jobs.length >= this.#queueMax || this.#byteCount + job.pixels.length > this.#queueBytesMax)
      throw new DroverError("overloaded", "too many images wait for the card", { retryAfterMs: VISION_RETRY_AFTER_MS });
    this.#jobs.push(job);
    this.#byteCount += job.pixels.length;
  }

  /** As many tiles as a run has room for. An image of which all are taken waits no longer. */
  take(tileCountMax: number): readonly TilePart[] {
    const parts: TilePart[] = [];
    for (let room = tileCountMax; room > 0; ) {
      const [job] = this.#jobs;
      if (job === undefined) break;
      const count = Math.min(room, job.tileCount - job.takenCount);
      parts.push({ job, first: job.takenCount, count });
      job.takenCount += count;
      room -= count;
      if (job.takenCount === job.tileCount) this.remove(job);
    }
    return parts;
  }

  /** Forgets an image, if it waits. */
  remove(job: TileJob): void {
    const place = this.#jobs.indexOf(job);
    if (place < 0) return;
    this.#jobs.splice(place, 1);
    this.#byteCount -= job.pixels.length;
  }

  /** Empties it. */
  clear(): readonly TileJob[] {
    this.#byteCount = 0;
    return this.#jobs.splice(0);
  }
}
