import { DroverError, type MaskCursor, type MaskRequest } from "@drover/core";
import { REOPENS_MAX } from "./limits.ts";
import type { OpenCursor } from "./mask-messages.ts";

/** The thread that makes a cursor's masks. */
export interface CursorLane {
  open(cursor: ThreadCursor): void;
  advance(id: number, tokenId: number): void;
  close(id: number): void;
}

/** One choice's place in its grammar, which a thread keeps. What was drawn is remembered, so that another thread can make it again. */
export class ThreadCursor implements MaskCursor {
  readonly #lane: CursorLane;
  readonly #request: MaskRequest;
  readonly #id: number;
  readonly #tokenIds: number[];
  readonly #allowed: Uint32Array<SharedArrayBuffer>;
  #state: "making" | "ready" | "over" = "making";
  #reopenCount = 0;

  constructor(lane: CursorLane, request: MaskRequest, id: number, vocabSize: number) {
    this.#lane = lane;
    this.#request = request;
    this.#id = id;
    this.#tokenIds = [...request.tokenIds];
    const words = Math.ceil(vocabSize / 32);
    this.#allowed = new Uint32Array(new SharedArrayBuffer(words * Uint32Array.BYTES_PER_ELEMENT));
  }

  get allowed(): Uint32Array | undefined {
    return this.#state === "ready" ? this.#allowed : undefined;
  }

  /** What has a thread make it. */
  get opening(): OpenCursor {
    const { grammar, stopTokenIds } = this.#request;
    return {
      kind: "open",
      id: this.#id,
      grammar,
      stopTokenIds,
      tokenIds: [...this.#tokenIds],
      allowed: this.#allowed,
    };
  }

  accept(tokenId: number): void {
    if (this.#state === "over") return;
    this.#tokenIds.push(tokenId);
    this.#state = "making";
    this.#lane.advance(this.#id, tokenId);
  }

  /** The mask behind all tokens so far is written. */
  made(): void {
    if (this.#state !== "making") return;
    this.#state = "ready";
    this.#request.onReady();
  }

  /** Its masks cannot be made. */
  fail(fault: DroverError): void {
    if (this.#state === "over") return;
    this[Symbol.dispose]();
    this.#request.onFault(fault);
  }

  /** Its thread has ended: it is opened again, a bounded number of times. */
  lost(): void {
    if (this.#state === "over") return;
    this.#state = "making";
    this.#reopenCount += 1;
    if (this.#reopenCount > REOPENS_MAX)
      this.fail(new DroverError("unavailable", "the threads that make the grammar's masks end again and again"));
    else this.#lane.open(this);
  }

  [Symbol.dispose](): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#lane.close(this.#id);
  }
}
