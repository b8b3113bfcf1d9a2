/** Prompts that a worker's status speaks of one by one. The worker adds up what are more; a reader passes over them. */
export const PENDING_PROMPTS_MAX = 64;

/** Holders of experts of which a status says that they are slow or silent; a reader passes over more. A fleet has 1,024 workers. */
export const SLOW_PEERS_MAX = 1024;

/** Attempts that a token stream names by slots at once; tokens of more are told one by one. An engine has 512 choices at most. */
export const TOKEN_SLOTS_MAX = 2048;

/** Of them so many stay from one message to the next: those that have had a slot for longest are named anew. */
export const TOKEN_SLOTS_KEPT_MAX = 1024;
