// Who asks: keys, and what each tenant may use.

export { keyDigest } from "./key-digest.ts";
export { formatKeys, parseKeys } from "./keys-file.ts";
export { PRIORITIES, type Priority, RIGHTS, type Right, type Tenant } from "./tenant.ts";

// How much a tenant has used, and until when it has to wait.

export { type Account, Accounts, requireRight } from "./accounts.ts";
export { Allowance, LIMIT_NAMES, type LimitName, LimitReached } from "./allowance.ts";
