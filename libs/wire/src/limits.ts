/** Prompts that a worker's status speaks of one by one. The worker adds up what are more; a reader passes over them. */
export const PENDING_PROMPTS_MAX = 64;
