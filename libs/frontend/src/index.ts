export { ApiKeys } from "./api-keys.ts";
export { Router, type RouterOptions } from "./router.ts";
export type { ServedModel } from "./served-model.ts";
