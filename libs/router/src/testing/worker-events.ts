import { FinishReason } from "@drover/proto";

/** The tiny model's end token. */
export const EOS = 257;

/** A worker has begun an attempt; where each choice starts. */
export const started = (...startIndices: number[]) => ({ case: "started", value: { startIndices } }) as const;

/** The first choice's end token. */
export const end = (index: number) =>
  ({ case: "token", value: { choice: 0, index, tokenId: EOS, finish: FinishReason.STOP } }) as const;

/** A worker's last word. */
export const done = { case: "done", value: {} } as const;
