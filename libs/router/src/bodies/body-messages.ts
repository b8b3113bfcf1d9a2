import type { BodyContext } from "./read-body.ts";

/** What a thread is asked: the bytes of one body, handed over, and how they are read. It answers with a `ReadBody`. */
export type BodyRequest = Readonly<{ blocks: readonly Uint8Array<ArrayBuffer>[]; context: BodyContext }>;
