import type { VisionConfig } from "@drover/checkpoint";
import type { ErrorCode } from "@drover/core";

/** What the thread is started with. */
export type VisionThreadData = Readonly<{ directory: string; config: VisionConfig; threads: number }>;

/** One image. The pixels' buffer is handed over. */
export type VisionThreadRequest = Readonly<{ tileCount: number; pixels: Uint8Array<ArrayBuffer> }>;

/** `ready` or `refused` once, when the weights are loaded or cannot be; then one `features` for each image, whose buffer is handed over. */
export type VisionThreadReply =
  | Readonly<{ kind: "ready" }>
  | Readonly<{ kind: "refused"; code: ErrorCode; message: string; field: string | undefined }>
  | Readonly<{ kind: "features"; rows_aD: Float32Array; seconds: number }>;
