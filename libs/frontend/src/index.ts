export { ApiKeys } from "./api-keys.ts";
export { REQUESTS_MAX_DEFAULT } from "./limits.ts";
export { Router, type RouterOptions } from "./router.ts";
export type { ServedModel } from "./served-model.ts";
