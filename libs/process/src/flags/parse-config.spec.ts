import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from "vitest";
import { defineConfig } from "./flag.ts";
import { parseConfig } from "./parse-config.ts";

const spec = defineConfig({
  model: { kind: "string", default: "models/nano", help: "The model's folder." },
  httpPort: { kind: "integer", default: 8080, min: 0, max: 65_535, help: "The HTTP port." },
  kvMemory: { kind: "size", default: "512MiB", min: 1, help: "Memory for KV." },
  grace: { kind: "duration", default: "10s", help: "Grace." },
  ratio: { kind: "number", help: "A ratio." },
  verbose: { kind: "boolean", help: "Say more." },
  roles: { kind: "list", choices: ["attention", "experts"], help: "Roles." },
  queue: { kind: "choice", choices: ["auto", "embedded"], default: "auto", help: "The queue." },
  scheduler: { kind: "string", required: true, help: "The scheduler." },
});

const parse = (argv: string[], env: Record<string, string> = {}) =>
  parseConfig(spec, { argv: ["--scheduler", "127.0.0.1:1", ...argv], env });

function problemsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(DroverError);
    return (error as DroverError).message.split("\n");
  }
  return [];
}

describe("parseConfig", () => {
  it("gives defaults in their own units, and undefined for what has none", () => {
    const config = parse([]);
    expect(config).toEqual({
      model: "models/nano",
      httpPort: 8080,
      kvMemory: 512 * 2 ** 20,
      grace: 10_000,
      ratio: undefined,
      verbose: false,
      roles: [],
      queue: "auto",
      scheduler: "127.0.0.1:1",
    });
    expectTypeOf(config.httpPort).toEqualTypeOf<number>();
    expectTypeOf(config.ratio).toEqualTypeOf<number | undefined>();
    expectTypeOf(config.queue).toEqualTypeOf<"auto" | "embedded">();
    expectTypeOf(config.roles).toEqualTypeOf<readonly ("attention" | "experts")[]>();
  });

  it("freezes what it returns", () => {
    expect(Object.isFrozen(parse([]))).toBe(true);
    expect(Object.isFrozen(parse(["--roles", "experts"]).roles)).toBe(true);
  });

  it("reads values behind a space and behind an equals sign", () => {
    expect(parse(["--http-port", "1", "--model=a=b"])).toMatchObject({ httpPort: 1, model: "a=b" });
  });

  it.each([
    ["1.5GiB", 1.5 * 2 ** 30],
    ["2gb", 2e9],
    ["4096", 4096],
  ])("reads the size %s as %d bytes", (text, bytes) => expect(parse(["--kv-memory", text]).kvMemory).toBe(bytes));

  it.each([
    ["250ms", 250],
    ["1.5m", 90_000],
    ["2h", 7_200_000],
    ["30", 30],
  ])("reads the duration %s as %d ms", (text, ms) => expect(parse(["--grace", text]).grace).toBe(ms));

  it("refuses a duration that no timer can wait for, and says which it can", () => {
    expect(parse(["--grace", "596h"]).grace).toBe(596 * 3_600_000);
    expect(() => parse(["--grace", "597h"])).toThrow(/--grace must be at most 596h/);
  });

  it("asks for a unit where a bare number is too few bytes", () => {
    expect(() => parse(["--kv-memory", "0"])).toThrow(/--kv-memory must be at least 1, not 0; write a unit, such as/);
    expect(() => parse(["--kv-memory", "0KiB"])).toThrow(/--kv-memory must be at least 1, not 0\.$/m);
  });

  it("turns a boolean on, off and to what is said", () => {
    expect(parse(["--verbose"]).verbose).toBe(true);
    expect(parse(["--verbose", "--no-verbose"]).verbose).toBe(false);
    expect(parse(["--verbose=false"]).verbose).toBe(false);
  });

  it("joins a repeated list and splits at commas", () => {
    expect(parse(["--roles", "attention", "--roles=experts,attention"]).roles).toEqual([
      "attention",
      "experts",
      "attention",
    ]);
  });

  it("takes a flag before the environment and the environment before the default", () => {
    expect(parse([], { DROVER_HTTP_PORT: "7" }).httpPort).toBe(7);
    expect(parse(["--http-port", "8"], { DROVER_HTTP_PORT: "7" }).httpPort).toBe(8);
    expect(parse([], { DROVER_HTTP_PORT: "" }).httpPort).toBe(8080);
  });

  it("reports all problems together, one sentence a line", () => {
    const problems = problemsOf(() =>
      parseConfig(spec, {
        argv: ["--http-port", "70000", "--ratio", "NaN", "--htp", "3", "extra", "--roles", "cook", "--model"],
        env: { DROVER_GRACE: "soon" },
      }),
    );
    expect(problems).toEqual([
      "--htp is not a known flag.",
      '"extra" is not a flag.',
      "--model needs a value.",
      "--http-port must be at most 65535, not 70000.",
      "DROVER_GRACE must be a duration such as 250ms, 10s or 2m.",
      "--ratio must be a number.",
      '--roles may only have attention, experts, not "cook".',
      "--scheduler is required (or DROVER_SCHEDULER in the environment).",
    ]);
  });

  it.each(["1e999", "0x10", "1.5", "", "ten"])("refuses %j as a whole number", (text) => {
    expect(problemsOf(() => parse([`--http-port=${text}`]))).toEqual(["--http-port must be a whole number."]);
  });
});

describe("parseConfig with a file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "drover-config-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (content: string) => {
    const path = join(folder, "config.json");
    writeFileSync(path, content);
    return path;
  };

  it("reads settings under both spellings, below flags and environment", () => {
    const path = file('{"httpPort": 1, "kv-memory": "1KiB", "verbose": true, "roles": ["experts"], "ratio": null}');
    const config = parse(["--config", path], { DROVER_HTTP_PORT: "2" });
    expect(config).toMatchObject({ httpPort: 2, kvMemory: 1024, verbose: true, roles: ["experts"], ratio: undefined });
  });

  it("names the file in the problems that are its own", () => {
    const path = file('{"nope": 1, "httpPort": "x"}');
    expect(problemsOf(() => parse(["--config", path]))).toEqual([
      `"nope" in ${path} is not a known setting.`,
      `"httpPort" in ${path} must be a whole number.`,
    ]);
  });

  it.each(["[]", "{", "null"])("refuses a file that holds %s", (content) => {
    expect(problemsOf(() => parse(["--config", file(content)]))).toHaveLength(1);
  });

  it("says so when the file is absent", () => {
    expect(problemsOf(() => parse([], { DROVER_CONFIG: join(folder, "none") }))[0]).toContain("cannot be read");
  });
});
