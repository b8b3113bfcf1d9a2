import type { ErrorCode, ImageTiles } from "@drover/core";

/** What a thread is asked, one image at a time. The file's buffer is handed over. */
export type ThreadRequest = Readonly<{ file: Uint8Array<ArrayBuffer> }>;

/** What it answers. The tiles' buffer is handed over. */
export type ThreadReply =
  | Readonly<{ kind: "tiles"; tiles: ImageTiles }>
  | Readonly<{ kind: "refused"; code: ErrorCode; message: string }>;
