import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSentinelUrl } from "./sentinel-url.ts";

const NONE = {
  db: 0,
  username: undefined,
  password: undefined,
  tls: false,
  sentinelUsername: undefined,
  sentinelPassword: undefined,
  sentinelTls: false,
};

describe("a URL of Sentinel", () => {
  it("names sentinels, and what they call the primary", () => {
    expect(parseSentinelUrl("redis+sentinel://a:1,b.local,[::1]:3/main")).toEqual({
      ...NONE,
      sentinels: [
        { host: "a", port: 1 },
        { host: "b.local", port: 26_379 },
        { host: "::1", port: 3 },
      ],
      name: "main",
    });
  });

  it("speaks TLS to Redis and to sentinels alike unless it says otherwise", () => {
    const tls = (url: string) => {
      const parsed = parseSentinelUrl(url);
      return [parsed?.tls, parsed?.sentinelTls];
    };
    expect(tls("rediss+sentinel://a/m")).toEqual([true, true]);
    expect(tls("rediss+sentinel://a/m?sentinel_tls=off")).toEqual([true, false]);
    expect(tls("redis+sentinel://a/m/2?sentinel_tls=on")).toEqual([false, true]);
  });

  it("has whatever passwords it is given, Redis's and the sentinels' own", () => {
    const word = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(word, word, word, word, fc.nat({ max: 99 }), (username, password, sentinelPassword, name, db) => {
        const [user, secret, other, called] = [username, password, sentinelPassword, name].map(encodeURIComponent);
        const url = `redis+sentinel://${user}:${secret}@a,b:2/${called}/${db}?sentinel_password=${other}`;
        expect(parseSentinelUrl(url)).toMatchObject({ username, password, sentinelPassword, name, db });
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    "redis://a:1/m",
    "redis+sentinel://a:1",
    "redis+sentinel://a:1/",
    "redis+sentinel:///m",
    "redis+sentinel://a:1,/m",
    "redis+sentinel://a:0/m",
    "redis+sentinel://a:66000/m",
    "redis+sentinel://::1/m",
    "redis+sentinel://a b/m",
    "redis+sentinel://a/m/x",
    "redis+sentinel://a/%zz",
    "redis+sentinel://a/m?sentinel_tls=yes",
    "redis+sentinel://a/m?password=x",
    "redis+sentinel://a/m?sentinel_password=x&sentinel_password=y",
  ])("is not %s", (url) => {
    expect(parseSentinelUrl(url)).toBeUndefined();
  });
});
