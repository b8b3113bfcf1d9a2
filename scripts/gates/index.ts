import { boundaries } from "./boundaries.ts";
import { dashboards } from "./dashboards.ts";
import { type Gate, runTool } from "./gate.ts";
import { generated } from "./generated.ts";
import { purity } from "./purity.ts";

export const types: Gate = { name: "types", check: (root) => runTool("tsc", ["-p", "tsconfig.json"], root) };

export const lint: Gate = {
  name: "lint and format",
  check: (root) => runTool("biome", ["check", "--error-on-warnings", "--max-diagnostics=100"], root),
};

export const deadCode: Gate = { name: "dead code", check: (root) => runTool("knip", ["--no-progress"], root) };

export const protoLint: Gate = { name: "proto lint", check: (root) => runTool("buf", ["lint"], root) };

/** Everything that must hold of the sources before a test runs. */
export const GATES: readonly Gate[] = [types, lint, boundaries, purity, deadCode, generated, dashboards, protoLint];

export { boundaries, dashboards, generated, purity };
