/** What a worker can do; a process may have several roles. */
export const WORKER_ROLES = ["attention", "experts", "vision", "context"] as const;

export type WorkerRole = (typeof WORKER_ROLES)[number];
