import { ThreadPool } from "@drover/threads";
import { HASH_QUEUE_MAX } from "../limits.ts";
import type { RangeHasher } from "./file-hash.ts";
import type { HashRequest } from "./hash-messages.ts";

const PROGRAM = new URL("./hash-thread.ts", import.meta.url);

/** Hashes files on threads of its own, several at once: a converted checkpoint is hashed as fast as it is read. */
export class HashThreads implements AsyncDisposable {
  readonly #pool: ThreadPool<HashRequest, string>;

  constructor(threads: number) {
    this.#pool = new ThreadPool({
      program: PROGRAM,
      settings: undefined,
      noun: "file",
      threads,
      queueMax: HASH_QUEUE_MAX,
    });
  }

  /** Errors: as of {@link RangeHasher}; `overloaded` where {@link HASH_QUEUE_MAX} wait. */
  readonly hash: RangeHasher = async (path, start, end, signal) =>
    this.#pool.run({ post: () => [{ path, start, end }, []] }, signal);

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}
