import type { ErrorCode } from "@drover/core";

/** What a thread finds as its `workerData`. */
export type ThreadData<Settings> = Readonly<{
  settings: Settings;
  /** Words that the pool and the thread share, by {@link CONTROL}: work that holds the thread's event loop can read them, where no message reaches it. */
  control: Int32Array;
}>;

/** `end`: not 0 once the thread shall end. `abandoned`: the serial of the request that nobody waits for any more. */
export const CONTROL = { end: 0, abandoned: 1, wordCount: 2 } as const;

/** What a thread is told: a request, one at a time, or to look at its control words. */
export type ThreadMessage<Request> =
  | Readonly<{ kind: "request"; serial: number; request: Request }>
  | Readonly<{ kind: "end" }>;

/** What a thread says: `ready` or `refused` once, when it is loaded or cannot be; then one `result` or `refused` for each request, in order. */
export type ThreadReply<Result> =
  | Readonly<{ kind: "ready" }>
  | Readonly<{ kind: "result"; result: Result }>
  | Readonly<{ kind: "refused"; code: ErrorCode; message: string; field: string | undefined }>;
