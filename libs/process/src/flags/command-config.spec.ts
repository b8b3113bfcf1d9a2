import { expect, it } from "vitest";
import { helpValues } from "./command-config.ts";
import { defineConfig } from "./flag.ts";

const spec = defineConfig({
  model: { kind: "string", required: true, help: "A folder." },
  count: { kind: "integer", default: 3, min: 1, help: "A count." },
});

it("beside --help flags have the values that are given, and what must be given may be missing", () => {
  expect(helpValues(spec, { argv: ["--help", "--count", "5"], env: {} })).toEqual({ model: undefined, count: 5 });
  expect(helpValues(spec, { argv: ["-h"], env: { DROVER_COUNT: "7" } })).toEqual({ model: undefined, count: 7 });
});

it("beside --help a wrong flag leaves the defaults", () => {
  expect(helpValues(spec, { argv: ["--help", "--count=none"], env: {} })).toEqual({ model: undefined, count: 3 });
});
