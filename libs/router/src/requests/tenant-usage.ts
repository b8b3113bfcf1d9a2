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

/** What is counted with each request and token of a tenant. */
type Tallies = Readonly<Record<"requests" | "promptTokens" | "cachedTokens" | "generatedTokens", Tally>>;

/** What the house's own keys, and whoever needs none, are called: no tenant's name has brackets. */
const OWN = "(own)";
const OTHERS = "(other)";

/** Counts what each tenant uses: as metrics of the first tenants that come, all others together, and for an export. */
export class TenantUsage {
  readonly #series: RouterSeries;
  readonly #used = new BoundedMap<string, Used>({ entriesMax: TENANT_SERIES_MAX });
  /** The house's own besides. */
  readonly #tallies = new BoundedMap<string, Tallies>({ entriesMax: TENANT_SERIES_MAX + 1 });

  constructor(series: RouterSeries) {
    this.#series = series;
    this.#talliesOf(OWN);
    for (const limit of LIMIT_NAMES) series.tenantRefusals.inc({ tenant: OWN, limit }, 0);
  }

  began(account: Account): void {
    const tenant = this.#label(account);
    this.#of(tenant).requests += 1;
    this.#talliesOf(tenant).requests.add(1);
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
    this.#talliesOf(tenant).generatedTokens.add(tokenCount);
  }

  /** Of a finished request. */
  prompt(account: Account, tokenCount: number, cachedTokenCount: number): void {
    const tenant = this.#label(account);
    const used = this.#of(tenant);
    used.promptTokens += tokenCount;
    used.cachedTokens += cachedTokenCount;
    const tallies = this.#talliesOf(tenant);
    tallies.promptTokens.add(tokenCount);
    tallies.cachedTokens.add(cachedTokenCount);
  }

  /** One entry a tenant, by name. */
  export(): readonly Readonly<{ tenant: string } & Used>[] {
    return [...this.#used].map(([tenant, used]) => ({ tenant, ...used, refused: { ...used.refused } }));
  }

  #label({ tenant }: Account): string {
    const name = tenant?.name ?? OWN;
    return this.#used.has(name) || this.#used.size < TENANT_SERIES_MAX - 1 ? name : OTHERS;
  }

  #talliesOf(tenant: string): Tallies {
    const known = this.#tallies.get(tenant);
    if (known !== undefined) return known;
    const { tally, tenantRequests, tenantPromptTokens, tenantCachedTokens, tenantGenerationTokens } = this.#series;
    const made = {
      requests: tally(tenantRequests, { tenant }),
      promptTokens: tally(tenantPromptTokens, { tenant }),
      cachedTokens: tally(tenantCachedTokens, { tenant }),
      generatedTokens: tally(tenantGenerationTokens, { tenant }),
    };
    this.#tallies.set(tenant, made);
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
