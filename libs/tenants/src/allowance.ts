import { DroverError } from "@drover/core";
import { CONCURRENT_RETRY_MS } from "./limits.ts";
import { RateWindow } from "./rate-window.ts";
import type { Tenant } from "./tenant.ts";

/** What a tenant may be short of. */
export const LIMIT_NAMES = ["requests_per_minute", "tokens_per_minute", "concurrent_requests", "kv_bytes"] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

/** A refusal that says which limit it was. */
export class LimitReached extends DroverError {
  readonly limit: LimitName;
  /** As `Allowance.headers`. */
  readonly headers: ReadonlyMap<string, string>;

  constructor(limit: LimitName, sentence: string, retryAfterMs: number, headers: ReadonlyMap<string, string>) {
    super("rate_limit_exceeded", `${sentence}; come back in ${seconds(retryAfterMs)}`, { retryAfterMs });
    this.limit = limit;
    this.headers = headers;
  }
}

/** What one tenant has used of its limits. Times are of a monotonic clock, milliseconds. */
export class Allowance {
  #tenant: Tenant;
  #requests: RateWindow | undefined;
  #tokens: RateWindow | undefined;
  #running = 0;
  #kvBytes = 0;

  constructor(tenant: Tenant, nowMs: number) {
    this.#tenant = tenant;
    this.change(tenant, nowMs);
  }

  /** Other limits from now on; what was used stays used. */
  change(tenant: Tenant, nowMs: number): void {
    this.#tenant = tenant;
    this.#requests = changed(this.#requests, tenant.requestsPerMinute, nowMs);
    this.#tokens = changed(this.#tokens, tenant.tokensPerMinute, nowMs);
  }

  /** Counts a request that begins; `end` it. Errors: `LimitReached`, and then it is not counted. */
  begin(nowMs: number): void {
    const { concurrentRequests } = this.#tenant;
    if (concurrentRequests !== undefined && this.#running >= concurrentRequests)
      throw new LimitReached(
        "concurrent_requests",
        `this key's limit of ${concurrentRequests} concurrent requests is reached`,
        CONCURRENT_RETRY_MS,
        this.headers(nowMs),
      );
    const requestWaitMs = this.#requests?.waitMs(1, nowMs) ?? 0;
    if (requestWaitMs > 0)
      throw new LimitReached(
        "requests_per_minute",
        `this key's limit of ${this.#requests?.perMinute} requests per minute is reached`,
        requestWaitMs,
        this.headers(nowMs),
      );
    const tokenWaitMs = this.#tokens?.waitMs(1, nowMs) ?? 0;
    if (tokenWaitMs > 0) throw this.#noTokens(tokenWaitMs, nowMs);
    this.#requests?.take(1, nowMs);
    this.#running += 1;
  }

  /** A request that was counted is over. */
  end(): void {
    this.#running -= 1;
  }

  /** Takes a prompt's tokens; one that is larger than a minute's worth goes once a whole minute's worth is there. Errors: `LimitReached`, and nothing is taken. */
  takePrompt(tokenCount: number, nowMs: number): void {
    const waitMs = this.#tokens?.waitMs(tokenCount, nowMs) ?? 0;
    if (waitMs > 0) throw this.#noTokens(waitMs, nowMs);
    this.#tokens?.take(tokenCount, nowMs);
  }

  /** Counts tokens of an answer, which nobody knew before. */
  generated(tokenCount: number, nowMs: number): void {
    this.#tokens?.take(tokenCount, nowMs);
  }

  /** Counts KV that a request may grow to; `freeKv` gives it back. Errors: `LimitReached`, and nothing is counted. */
  holdKv(byteCount: number, nowMs: number): void {
    const { kvBytes } = this.#tenant;
    if (kvBytes !== undefined && byteCount > kvBytes)
      throw new DroverError(
        "invalid_argument",
        `its prompt and max_tokens may take ${byteCount} bytes of KV, and this key may have ${kvBytes}`,
      );
    if (kvBytes !== undefined && this.#kvBytes + byteCount > kvBytes)
      throw new LimitReached(
        "kv_bytes",
        `this key's limit of ${kvBytes} bytes of KV is reached by its requests that run`,
        CONCURRENT_RETRY_MS,
        this.headers(nowMs),
      );
    this.#kvBytes += byteCount;
  }

  freeKv(byteCount: number): void {
    this.#kvBytes -= byteCount;
  }

  /** What answers say of the limits, by OpenAI's names. */
  headers(nowMs: number): ReadonlyMap<string, string> {
    const headers = new Map<string, string>();
    const windows = [
      ["requests", this.#requests],
      ["tokens", this.#tokens],
    ] as const;
    for (const [what, window] of windows) {
      if (window === undefined) continue;
      headers.set(`x-ratelimit-limit-${what}`, String(window.perMinute));
      headers.set(`x-ratelimit-remaining-${what}`, String(window.remaining(nowMs)));
      headers.set(`x-ratelimit-reset-${what}`, seconds(window.resetMs(nowMs)));
    }
    return headers;
  }

  #noTokens(waitMs: number, nowMs: number): LimitReached {
    const perMinute = this.#tokens?.perMinute;
    return new LimitReached(
      "tokens_per_minute",
      `this key's limit of ${perMinute} tokens per minute is reached`,
      waitMs,
      this.headers(nowMs),
    );
  }
}

function changed(window: RateWindow | undefined, perMinute: number | undefined, nowMs: number): RateWindow | undefined {
  if (perMinute === undefined) return undefined;
  if (window === undefined) return new RateWindow(perMinute, nowMs);
  window.change(perMinute, nowMs);
  return window;
}

/** As OpenAI writes it: `20ms`, `1.5s`, `1m0s`. */
function seconds(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  if (ms < 60_000) return `${Math.ceil(ms / 100) / 10}s`;
  const whole = Math.ceil(ms / 1000);
  return `${Math.floor(whole / 60)}m${whole % 60}s`;
}
