import { DroverError } from "@drover/core";
import type { EncodeFrame } from "@drover/proto";
import { type TilesHead, tilesFrameFromWire } from "@drover/wire";
import type { FeatureCache } from "./feature-cache.ts";
import type { FeatureEncodings } from "./feature-encodings.ts";
import { VisionUpload } from "./vision-upload.ts";

/** What the calls of one service share. */
export interface EncodeHost {
  readonly cache: FeatureCache;
  readonly encodings: FeatureEncodings;
  readonly imageSize: number;
  readonly receiveMsMax: number;
  /** Takes room for an image's pixels. Errors: `payload_too_large`, `overloaded`. */
  reserve(tileCount: number, byteCount: number): void;
  release(byteCount: number): void;
}

export type EncodeOutcome =
  | Readonly<{ kind: "encoded"; tileCount: number; cached: boolean }>
  | Readonly<{ kind: "failed"; error: unknown }>;

/** One Encode call. It is answered once, as soon as the features are there, which may be before the last frame. */
export class EncodeCall {
  readonly #host: EncodeHost;
  readonly #onAnswer: (outcome: EncodeOutcome) => void;
  readonly #gone = new AbortController();
  readonly #deadline: NodeJS.Timeout;
  /** `elsewhere`: another call brought the tiles. */
  #state: "new" | "receiving" | "elsewhere" | "encoding" | "answered" = "new";
  #upload: VisionUpload | undefined;
  #reservedBytes = 0;

  constructor(host: EncodeHost, onAnswer: (outcome: EncodeOutcome) => void) {
    this.#host = host;
    this.#onAnswer = onAnswer;
    const late = () => this.#fail(new DroverError("deadline_exceeded", "the tiles did not come in time"));
    this.#deadline = setTimeout(late, host.receiveMsMax);
  }

  frame(message: EncodeFrame): void {
    try {
      const { head, pixels } = tilesFrameFromWire(message);
      if (this.#state === "new") this.#begin(head);
      if (this.#state === "receiving") this.#upload?.add(pixels);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** No frame follows. */
  end(): void {
    try {
      if (this.#state === "new") throw new DroverError("invalid_argument", "no frame has come");
      if (this.#state === "receiving" && this.#upload !== undefined) this.#encode(this.#upload);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The caller does not wait any more. */
  leave(): void {
    const reason = new DroverError("cancelled", "the caller has gone");
    this.#gone.abort(reason);
    this.#fail(reason);
  }

  #begin(head: TilesHead | undefined): void {
    const upload = new VisionUpload(head, this.#host.imageSize);
    const { contentHash, tileCount, byteCount } = upload;
    if (this.#host.encodings.has(contentHash)) {
      this.#state = "elsewhere";
      this.#wait(contentHash, tileCount);
    } else if (this.#host.cache.find(contentHash) !== undefined) {
      this.#answer({ kind: "encoded", tileCount, cached: true });
    } else {
      this.#host.reserve(tileCount, byteCount);
      this.#reservedBytes = byteCount;
      this.#upload = upload;
      this.#state = "receiving";
    }
  }

  #encode(upload: VisionUpload): void {
    const { contentHash, tileCount } = upload;
    const pixels = upload.finish();
    this.#state = "encoding";
    // Another call may have been faster.
    if (this.#host.cache.read(contentHash) !== undefined) {
      this.#answer({ kind: "encoded", tileCount, cached: true });
      return;
    }
    this.#host.encodings.start(contentHash, tileCount, pixels);
    this.#wait(contentHash, tileCount);
  }

  #wait(contentHash: string, tileCount: number): void {
    clearTimeout(this.#deadline);
    this.#host.encodings.join(contentHash, this.#gone.signal).then(
      () => this.#answer({ kind: "encoded", tileCount, cached: false }),
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#answer({ kind: "failed", error });
  }

  #answer(outcome: EncodeOutcome): void {
    if (this.#state === "answered") return;
    this.#state = "answered";
    clearTimeout(this.#deadline);
    this.#host.release(this.#reservedBytes);
    this.#upload = undefined;
    this.#onAnswer(outcome);
  }
}
