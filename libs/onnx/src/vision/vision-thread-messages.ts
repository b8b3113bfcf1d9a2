import type { VisionConfig } from "@drover/checkpoint";
import type { ErrorCode } from "@drover/core";

/** What the thread is started with. */
export type VisionThreadData = Readonly<{
  directory: string;
  config: VisionConfig;
  threads: number;
  /** Shared words, by {@link CONTROL}: an encoding reads them between two stages, where no message reaches it. */
  control: Int32Array;
}>;

/** `end`: not 0 once the thread shall end. `abandoned`: the serial of the image that nobody wants any more. */
export const CONTROL = { end: 0, abandoned: 1, wordCount: 2 } as const;

/** One image, whose pixels' buffer is handed over; or `wake`, for the thread to look at its control. */
export type VisionThreadRequest =
  | Readonly<{ kind: "encode"; serial: number; tileCount: number; pixels: Uint8Array<ArrayBuffer> }>
  | Readonly<{ kind: "wake" }>;

/** `ready` or `refused` once, when the weights are loaded or cannot be; then one `features` or `abandoned` for each image. The features' buffer is handed over. */
export type VisionThreadReply =
  | Readonly<{ kind: "ready" }>
  | Readonly<{ kind: "refused"; code: ErrorCode; message: string; field: string | undefined }>
  | Readonly<{ kind: "features"; rows_aD: Float32Array; seconds: number }>
  | Readonly<{ kind: "abandoned" }>;
