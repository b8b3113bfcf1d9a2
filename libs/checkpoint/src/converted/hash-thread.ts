import { neverAborted } from "@drover/core";
import { serveThread } from "@drover/threads";
import { hashHere } from "./file-hash.ts";
import type { HashRequest } from "./hash-messages.ts";

/** A thread that hashes parts of files. */
await serveThread(async () => ({
  answer: ({ path, start, end }: HashRequest): Promise<string> => hashHere(path, start, end, neverAborted),
  buffersOf: () => [],
}));
