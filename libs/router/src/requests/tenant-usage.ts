import { BoundedMap } from "@drover/core";
import type { Tally } from "@drover/telemetry";
import { type Account, LIMIT_NAMES, type LimitName } from "@drover/tenants";
import { TENANT_SERIES_MAX } from "../limits.ts";
import type { RouterSeries } from "../metrics/router-series.ts";

/** What one tenant has used since the router started. */
type Used = {
  requests: number;
  refused: Partial<Record<LimitName, number>>;
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
};

/** What the house's own keys, and whoever needs none, are called: no tenant's name has brackets. */
const OWN = "(own)";
const OTHERS = "(other)";

/** Counts what each tenant uses: as metrics of the first tenants that come, all others together, and for an export. */
export class TenantUsage {
  readonly #series: RouterSeries;
  readonly #used = new BoundedMap<string, Used>({ entriesMax: TENANT_SERIES_MAX });
  /** What is counted with each token, by tenant. */
  readonly #generated = new BoundedMap<string, Tally>({ entriesMax: TENANT_SERIES_MAX });

  constructor(series: RouterSeries) {
    this.#series = series;
    for (const counter of [
      series.tenantRequests,
      series.tenantPromptTokens,
      series.tenantCachedTokens,
      series.tenantGenerationTokens,
    ])
      counter.inc({ tenant: OWN }, 0);
    for (const limit of LIMIT_NAMES) series.tenantRefusals.inc({ tenant: OWN, limit }, 0);
  }

  began(account: Account): void {
    const tenant = this.#label(account);
    this.#of(tenant).requests += 1;
    this.#series.tenantRequests.inc({ tenant });
  }

  refused(account: Account, limit: LimitName): void {
    const tenant = this.#label(account);
    const used = this.#of(tenant);
    used.refused[limit] = (used.refused[limit] ?? 0) + 1;
    this.#series.tenantRefusals.inc({ tenant, limit });
  }

  /** Counts against its limits too. */
  generated(account: Account, tokenCount: number, nowMs: number): void {
    account.allowance?.generated(tokenCount, nowMs);
    const tenant = this.#label(account);
    this.#of(tenant).generatedTokens += tokenCount;
    this.#generatedOf(tenant).add(tokenCount);
  }

  /** Of a finished request. */
  prompt(account: Account, tokenCount: number, cachedTokenCount: number): void {
    const tenant = this.#label(account);
    const used = this.#of(tenant);
    used.promptTokens += tokenCount;
    used.cachedTokens += cachedTokenCount;
    this.#series.tenantPromptTokens.inc({ tenant }, tokenCount);
    this.#series.tenantCachedTokens.inc({ tenant }, cachedTokenCount);
  }

  /** One entry a tenant, by name. */
  export(): readonly Readonly<{ tenant: string } & Used>[] {
    return [...this.#used].map(([tenant, used]) => ({ tenant, ...used, refused: { ...used.refused } }));
  }

  #label({ tenant }: Account): string {
    const name = tenant?.name ?? OWN;
    return this.#used.has(name) || this.#used.size < TENANT_SERIES_MAX - 1 ? name : OTHERS;
  }

  #generatedOf(tenant: string): Tally {
    const known = this.#generated.get(tenant);
    if (known !== undefined) return known;
    const made = this.#series.tally(this.#series.tenantGenerationTokens, { tenant });
    this.#generated.set(tenant, made);
    return made;
  }

  #of(tenant: string): Used {
    const known = this.#used.get(tenant);
    if (known !== undefined) return known;
    const used: Used = { requests: 0, refused: {}, promptTokens: 0, cachedTokens: 0, generatedTokens: 0 };
    this.#used.set(tenant, used);
    return used;
  }
}
