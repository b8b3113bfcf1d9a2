import { describe, expect, it } from "vitest";
import { chooseQueue } from "./queue-choice.ts";

const nothing = () => undefined;
const found =
  (...names: string[]) =>
  (name: string) =>
    names.includes(name) ? `/bin/${name}` : undefined;
const REDIS_URL = "redis://10.0.0.1:6379";

describe("chooseQueue", () => {
  it("takes REDIS_URL, else a server found here, else the embedded queue", () => {
    expect(chooseQueue("auto", { REDIS_URL }, found("redis-server"))).toMatchObject({
      kind: "external",
      url: REDIS_URL,
    });
    expect(chooseQueue("auto", {}, found("redis-server", "valkey-server"))).toEqual({
      kind: "local",
      program: "/bin/redis-server",
    });
    expect(chooseQueue("auto", { REDIS_URL: "" }, found("valkey-server"))).toEqual({
      kind: "local",
      program: "/bin/valkey-server",
    });
    expect(chooseQueue("auto", {}, nothing)).toMatchObject({ kind: "embedded" });
  });

  it("does as it is told before it looks around", () => {
    expect(chooseQueue("embedded", { REDIS_URL }, found("redis-server"))).toMatchObject({ kind: "embedded" });
    expect(chooseQueue("rediss://other:1", { REDIS_URL }, nothing)).toMatchObject({ url: "rediss://other:1" });
    expect(chooseQueue("redis", {}, found("redis-server"))).toMatchObject({ kind: "local" });
  });

  it("finds a server on the PATH, and passes by folders that are not there", () => {
    expect(chooseQueue("auto", { PATH: "/nowhere::/also/nowhere" })).toMatchObject({ kind: "embedded" });
  });

  it.each([
    ["redis", {}],
    ["kafka", {}],
    ["redis://", {}],
    ["auto", { REDIS_URL: "10.0.0.1" }],
  ])("refuses %s with %j", (wish, env) => {
    expect(() => chooseQueue(wish, env, nothing)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });
});
