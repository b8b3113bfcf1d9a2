// A pool, and the program of its threads.

export { serveThread } from "./serve-thread.ts";
export { ThreadPool } from "./thread-pool.ts";
