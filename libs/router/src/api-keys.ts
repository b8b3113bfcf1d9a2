import { DroverError, systemClock } from "@drover/core";
import { type Account, Accounts, LimitReached } from "@drover/tenants";
import type { TenantUsage } from "./requests/tenant-usage.ts";

/** Anybody, where no key is asked for. */
export const ANYBODY: Account = { salt: "" };

/** The keys that may use the API, and whose they are. Without any, everybody may. */
export class ApiKeys {
  readonly #accounts = new Accounts();
  readonly #now: () => number;

  /** `now`: of a monotonic clock, milliseconds. */
  constructor(now: () => number = systemClock.monotonic) {
    this.#now = now;
  }

  /** The house's own keys, as they are; for a router without tenants. */
  static of(keys: readonly string[]): ApiKeys {
    const made = new ApiKeys();
    if (keys.length > 0) made.use(keys.join("\n"));
    return made;
  }

  /** What a keys file says, from now on. Errors: `invalid_argument`, and then all stays as it was. */
  use(text: string): void {
    this.#accounts.use(text, this.#now());
  }

  /** Who says `Authorization: Bearer KEY`. Errors: `unauthenticated`. */
  check(authorization: string | undefined): Account {
    if (this.#accounts.isOpen) return ANYBODY;
    const key = /^Bearer +(\S+)\s*$/i.exec(authorization ?? "")?.[1];
    if (key === undefined)
      throw new DroverError("unauthenticated", "an API key is required: Authorization: Bearer KEY");
    return this.#accounts.of(key);
  }

  /** A tenant by its name; empty: the house's own. Errors: `permission_denied` for one that has no key any more. */
  named(tenant: string): Account {
    return tenant === "" ? ANYBODY : this.#accounts.named(tenant);
  }

  /** Counts a request of an account that begins. What comes back is disposed of when it is over. Errors: `LimitReached`. */
  begin({ allowance }: Account): BegunRequest {
    allowance?.begin(this.#now());
    let isOver = false;
    return {
      headers: allowance?.headers(this.#now()) ?? NO_HEADERS,
      [Symbol.dispose]: () => {
        if (!isOver) allowance?.end();
        isOver = true;
      },
    };
  }
}

/** A request that counts against its account until it is disposed of, and what its answer says of the limits. */
export type BegunRequest = Disposable & Readonly<{ headers: ReadonlyMap<string, string> }>;

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** As `ApiKeys.begin`, and counted as used or refused. */
export function beginFor(account: Account, keys: ApiKeys, usage: TenantUsage): BegunRequest {
  try {
    const begun = keys.begin(account);
    usage.began(account);
    return begun;
  } catch (error) {
    if (error instanceof LimitReached) usage.refused(account, error.limit);
    throw error;
  }
}
