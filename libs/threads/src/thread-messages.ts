import type { ErrorCode } from "@drover/core";

/** What a thread answers to each request, in order. */
export type ThreadReply<Result> =
  | Readonly<{ kind: "result"; result: Result }>
  | Readonly<{ kind: "refused"; code: ErrorCode; message: string; field: string | undefined }>;
