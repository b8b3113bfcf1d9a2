import { hash } from "node:crypto";
import { DroverError } from "@drover/core";
import { Allowance } from "./allowance.ts";
import { keyDigest } from "./key-digest.ts";
import { parseKeys } from "./keys-file.ts";
import type { Right, Tenant } from "./tenant.ts";

/** Who a request is from. */
export type Account = Readonly<{
  /** Absent for a key of the house's own. */
  tenant?: Tenant;
  allowance?: Allowance;
  /** Keeps its cached prefixes and images from others'; empty where they are everybody's. */
  salt: string;
}>;

const OWN: Account = { salt: "" };

/** All who may ask, by their keys, and what each has used. Without any key everybody may. */
export class Accounts {
  #byDigest: ReadonlyMap<string, Account> = new Map();
  #byName: ReadonlyMap<string, Account> = new Map();
  #allowances = new Map<string, Allowance>();

  /** What a keys file says, from now on: whoever stays keeps what it has used. Errors: as `parseKeys`, and `invalid_argument` for a file without a key; then all stays as it was. */
  use(text: string, nowMs: number): void {
    const { tenants, ownDigests } = parseKeys(text);
    if (tenants.length + ownDigests.length === 0) throw new DroverError("invalid_argument", "it holds no API key");
    const allowances = new Map<string, Allowance>();
    const byName = new Map<string, Account>();
    const byDigest = new Map<string, Account>(ownDigests.map((digest) => [digest, OWN]));
    for (const tenant of tenants) {
      const allowance = this.#allowances.get(tenant.name) ?? new Allowance(tenant, nowMs);
      allowance.change(tenant, nowMs);
      allowances.set(tenant.name, allowance);
      const account = Object.freeze({ tenant, allowance, salt: saltOf(tenant.group) });
      byName.set(tenant.name, account);
      for (const digest of tenant.keyDigests) byDigest.set(digest, account);
    }
    this.#byDigest = byDigest;
    this.#byName = byName;
    this.#allowances = allowances;
  }

  get isOpen(): boolean {
    return this.#byDigest.size === 0;
  }

  /** By the digest: what a comparison of digests takes tells nothing of keys. Errors: `unauthenticated`. */
  of(key: string): Account {
    const account = this.#byDigest.get(keyDigest(key));
    if (account === undefined) throw new DroverError("unauthenticated", "the API key is not known");
    return account;
  }

  /** A tenant's. Errors: `permission_denied` for one that has no key any more. */
  named(name: string): Account {
    const account = this.#byName.get(name);
    if (account === undefined) throw new DroverError("permission_denied", "its tenant has no key any more");
    return account;
  }
}

/** Errors: `permission_denied` where the account lacks the right. The house's own keys have all of them. */
export function requireRight({ tenant }: Account, right: Right): void {
  if (tenant !== undefined && !tenant.rights.includes(right))
    throw new DroverError("permission_denied", `this API key has not the right "${right}"`);
}

/** Not the group's name itself: it goes where requests go. */
function saltOf(group: string): string {
  return hash("sha256", JSON.stringify(["drover-group", group]), "hex").slice(0, 32);
}
