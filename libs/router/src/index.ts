// A router serves models, each as a deployment of its own.

export type { DeploymentOptions } from "./deployment.ts";
export { Router } from "./router.ts";
export type { ServedModel } from "./served-model.ts";

// A deployment alone, for who stands behind a router's doors.

export { Deployment } from "./deployment.ts";
export { routerSeries } from "./metrics/router-series.ts";
export { Admission } from "./requests/admission.ts";
export { TenantUsage } from "./requests/tenant-usage.ts";

// What it may hold in memory, by its flags.

export { MEMORY_LIMITS_DEFAULT } from "./memory/memory-budgets.ts";
export {
  MEMORY_FACTORS,
  memoryLines,
  ROUTER_MEMORY_DEFAULT,
  type RouterMemory,
  type RouterMemorySettings,
  routerMemory,
} from "./memory/router-memory.ts";

// Who may ask, and how many may at once.

export { ApiKeys } from "./api-keys.ts";
export {
  BATCH_REQUESTS_DEFAULT,
  BODY_BYTES_MAX,
  CONNECTIONS_MAX_DEFAULT,
  KEEP_FILES_MS_DEFAULT,
  KEEP_RESPONSES_MS_DEFAULT,
  QUEUE_WAIT_MS_MAX_DEFAULT,
  READY_WAIT_MS_MAX_DEFAULT,
  REQUESTS_MAX_DEFAULT,
  STREAM_WAIT_MS_DEFAULT,
} from "./limits.ts";
