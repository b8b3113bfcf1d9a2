import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Accounts, requireRight } from "./accounts.ts";
import { Allowance, LimitReached } from "./allowance.ts";
import { keyDigest } from "./key-digest.ts";
import type { Tenant } from "./tenant.ts";

const tenantOf = (limits: Partial<Tenant>): Tenant => ({
  name: "acme",
  group: "acme",
  keyDigests: [],
  priority: "normal",
  weight: 1,
  rights: [],
  ...limits,
});

const refused = (act: () => void): LimitReached | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof LimitReached) return error;
    throw error;
  }
};

describe("an allowance", () => {
  it("lets in a minute's requests at once and then evenly, and says which limit it was and until when", () => {
    const allowance = new Allowance(tenantOf({ requestsPerMinute: 6 }), 0);
    for (let i = 0; i < 6; i++) allowance.begin(0);
    const error = refused(() => allowance.begin(0));
    expect(error).toMatchObject({ code: "rate_limit_exceeded", limit: "requests_per_minute", retryAfterMs: 10_000 });
    expect(error?.message).toContain("6 requests per minute");
    expect(error?.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(error?.headers.get("x-ratelimit-reset-requests")).toBe("1m0s");
    expect(refused(() => allowance.begin(9_999))).toBeDefined();
    expect(refused(() => allowance.begin(10_000))).toBeUndefined();
  });

  it("whoever waits as long as it was told gets in, whatever was asked before", () => {
    const asks = fc.array(fc.record({ afterMs: fc.nat(20_000), tokens: fc.integer({ min: 1, max: 2000 }) }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 1000 }), (list, tokensPerMinute) => {
        const allowance = new Allowance(tenantOf({ tokensPerMinute, requestsPerMinute: 30 }), 0);
        let now = 0;
        let taken = 0;
        for (const { afterMs, tokens } of list) {
          now += afterMs;
          const wait = refused(() => allowance.takePrompt(tokens, now))?.retryAfterMs;
          if (wait !== undefined) {
            now += wait;
            expect(refused(() => allowance.takePrompt(tokens, now))).toBeUndefined();
          }
          taken += tokens;
        }
        // Never more than a minute's worth at once, what one prompt has above that, and what has come meanwhile.
        expect(taken).toBeLessThanOrEqual(tokensPerMinute * (1 + now / 60_000) + 2000 + list.length);
      }),
      { numRuns: 60 },
    );
  });

  it("counts requests at once, and KV until it is given back", () => {
    const allowance = new Allowance(tenantOf({ concurrentRequests: 2, kvBytes: 100 }), 0);
    allowance.begin(0);
    allowance.begin(0);
    expect(refused(() => allowance.begin(0))?.limit).toBe("concurrent_requests");
    allowance.end();
    allowance.begin(0);
    allowance.holdKv(60, 0);
    expect(refused(() => allowance.holdKv(60, 0))?.limit).toBe("kv_bytes");
    allowance.freeKv(60);
    allowance.holdKv(60, 0);
    expect(() => allowance.holdKv(101, 0)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });

  it("what an answer took beyond the limit is waited for", () => {
    const allowance = new Allowance(tenantOf({ tokensPerMinute: 60 }), 0);
    allowance.begin(0);
    allowance.generated(120, 0);
    expect(refused(() => allowance.begin(0))).toMatchObject({ limit: "tokens_per_minute", retryAfterMs: 61_000 });
  });
});

describe("accounts", () => {
  const line = (name: string, more = "") => `{"name":"${name}","key_sha256":"${keyDigest(`key-${name}`)}"${more}}`;

  it("a file that is read again keeps what was used, and one that is wrong changes nothing", () => {
    const accounts = new Accounts();
    accounts.use(line("acme", ',"requests_per_minute":2'), 0);
    const { allowance } = accounts.of("key-acme");
    allowance?.begin(0);
    accounts.use(`${line("acme", ',"requests_per_minute":3')}\n${line("other")}`, 0);
    expect(accounts.of("key-acme").allowance).toBe(allowance);
    expect(allowance?.headers(0).get("x-ratelimit-remaining-requests")).toBe("2");
    expect(() => accounts.use("# nothing", 0)).toThrow("no API key");
    expect(accounts.of("key-other").tenant?.name).toBe("other");
    accounts.use(line("other"), 0);
    expect(() => accounts.of("key-acme")).toThrow(expect.objectContaining({ code: "unauthenticated" }));
  });

  it("salts are one for a group, and another for everybody else", () => {
    const accounts = new Accounts();
    accounts.use(`${line("a", ',"group":"g"')}\n${line("b", ',"group":"g"')}\n${line("c")}\nown`, 0);
    const [a, b, c, own] = ["key-a", "key-b", "key-c", "own"].map((key) => accounts.of(key).salt);
    expect(a).toBe(b);
    expect(new Set([a, c, own]).size).toBe(3);
    expect(own).toBe("");
  });

  it("a right is had by name, and by the house's own keys", () => {
    const accounts = new Accounts();
    accounts.use(`${line("a", ',"rights":["debug"]')}\n${line("b")}\nown`, 0);
    for (const key of ["key-a", "own"]) expect(() => requireRight(accounts.of(key), "debug")).not.toThrow();
    expect(() => requireRight(accounts.of("key-b"), "debug")).toThrow(
      expect.objectContaining({ code: "permission_denied" }),
    );
  });
});
