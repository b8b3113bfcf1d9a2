import { afterEach, expect, it, vi } from "vitest";
import { commandConfig, helpValues } from "./command-config.ts";
import { defineConfig } from "./flag.ts";

const spec = defineConfig({
  model: { kind: "string", required: true, help: "A folder." },
  count: { kind: "integer", default: 3, min: 1, help: "A count." },
});

afterEach(() => void vi.restoreAllMocks());

/** What a command says on both outputs, and what it exits with. */
function saidOf(argv: readonly string[]) {
  const said = { stdout: "", stderr: "", status: -1 };
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += String(text);
      return true;
    });
  vi.spyOn(process, "exit").mockImplementation((status) => {
    said.status = Number(status);
    throw new Error("it has exited");
  });
  const follows = (values: Readonly<Record<string, unknown>>) => `a sum of ${values.count}`;
  expect(() => commandConfig(spec, { argv, env: {}, command: "drover x", usage: "drover x", follows })).toThrow(
    "it has exited",
  );
  vi.restoreAllMocks();
  return said;
}

it("--help tells what follows from the values that stand beside it, and says a wrong one in its place", () => {
  const good = saidOf(["--count=5", "--help"]);
  expect([good.status, good.stderr]).toEqual([0, ""]);
  expect(good.stdout).toMatch(/--count N.*\na sum of 5\n$/s);
  const wrong = saidOf(["--count=0", "--help"]);
  expect([wrong.status, wrong.stderr]).toEqual([2, "--count must be at least 1, not 0.\nSee drover x --help.\n"]);
  expect(wrong.stdout).toContain("--count N");
  expect(wrong.stdout).not.toContain("a sum of");
});

it("beside --help flags have the values that are given, and what must be given may be missing", () => {
  expect(helpValues(spec, { argv: ["--help", "--count", "5"], env: {} })).toEqual({ model: undefined, count: 5 });
  expect(helpValues(spec, { argv: ["-h"], env: { DROVER_COUNT: "7" } })).toEqual({ model: undefined, count: 7 });
});

it("beside --help a wrong flag is named, and nothing is told of another value in its place", () => {
  for (const given of ["none", "0"])
    expect(() => helpValues(spec, { argv: [`--count=${given}`, "--help"], env: {} })).toThrow("--count must be");
});
