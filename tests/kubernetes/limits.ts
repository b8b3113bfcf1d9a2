/** How long a command may take that only asks or tells the control plane something. */
export const COMMAND_MS_MAX = 120_000;

/** Building and pushing an image, or starting the bed. */
export const SLOW_COMMAND_MS_MAX = 600_000;

/** From `apply` or `install` until every pod is ready. */
export const READY_MS_MAX = 300_000;

/** From a kill until every pod is ready again and a prompt is answered rightly. Stated as the limit of healing. */
export const HEAL_MS_MAX = 180_000;

/** From `delete` or `uninstall` until nothing is left: longer than the longest grace of a pod. */
export const GONE_MS_MAX = 180_000;

export const POLL_MS = 1_000;

/** One prompt, from its sending to its answer. */
export const PROMPT_MS_MAX = 60_000;
