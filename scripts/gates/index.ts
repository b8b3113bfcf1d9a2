import { existsSync } from "node:fs";
import { join } from "node:path";
import { abortReasons } from "./abort-reasons.ts";
import { apiPageGate } from "./api-page.ts";
import { boundaries } from "./boundaries.ts";
import { dashboards } from "./dashboards.ts";
import { flags } from "./flags.ts";
import { type Gate, runTool } from "./gate.ts";
import { generated } from "./generated.ts";
import { length } from "./length.ts";
import { pages } from "./pages.ts";
import { protoBreaking } from "./proto-breaking.ts";
import { purity } from "./purity.ts";
import { silentDefaults } from "./silent-defaults.ts";

const SITE = "libs/page/src/site/tsconfig.json";

export const types: Gate = {
  name: "types",
  remedy: "Give each value the type that its reader needs; no `any`, no `!`, no cast where a check can tell.",
  check: async (root) => {
    const all = await runTool("tsc", ["-p", "tsconfig.json"], root);
    // What runs in a browser knows other globals.
    return all.ok && existsSync(join(root, SITE)) ? runTool("tsc", ["-p", SITE], root) : all;
  },
};

export const lint: Gate = {
  name: "lint",
  remedy: "`biome check --write` mends the format and what is safe to mend; the rest is told above.",
  check: (root) => runTool("biome", ["check", "--error-on-warnings", "--max-diagnostics=100"], root),
};

export const deadCode: Gate = {
  name: "dead-code",
  remedy: "Delete what nobody uses; an export that only its own file reads loses the word `export`.",
  check: (root) => runTool("knip", ["--no-progress"], root),
};

export const protoLint: Gate = {
  name: "proto-lint",
  remedy: "Rename what a .proto of this change adds; what is released keeps its name and number.",
  check: (root) => runTool("buf", ["lint"], root),
};

/** Everything that must hold of the sources before a test runs. */
export const GATES: readonly Gate[] = [
  types,
  lint,
  boundaries,
  purity,
  length,
  silentDefaults,
  abortReasons,
  deadCode,
  generated,
  protoLint,
  protoBreaking,
  dashboards,
  apiPageGate,
  flags,
  pages,
];

export {
  abortReasons,
  apiPageGate,
  boundaries,
  dashboards,
  flags,
  generated,
  length,
  pages,
  protoBreaking,
  purity,
  silentDefaults,
};
