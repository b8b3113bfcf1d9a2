import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Gate, repository } from "../gate.ts";
import {
  abortReasons,
  apiPageGate,
  boundaries,
  dashboards,
  deadCode,
  flags,
  generated,
  length,
  lint,
  pages,
  protoBreaking,
  protoLint,
  purity,
  silentDefaults,
  types,
} from "../index.ts";

/** A violation that a gate must find: the files in which it stands, and what the gate says of it. */
type Plant = Readonly<{ gate: Gate; violation: string; files: Readonly<Record<string, string>>; finding: string }>;

const INFERENCE = "proto/drover/v1/inference.proto";
const QUEUE = "proto/drover/internal/v1/queue.proto";
const changed = (file: string, from: string, to: string): string => {
  const text = readFileSync(join(repository, file), "utf8");
  assert(text.includes(from), `${file} has "${from}" to plant a violation in`);
  return text.replace(from, to);
};

const GENERATED = "libs/proto/src/gen/drover/internal/v1/queue_pb.ts";

/** At least one for each gate. */
export const PLANTS: readonly Plant[] = [
  {
    gate: types,
    violation: "a wrong type",
    files: { "libs/low/src/half.ts": 'export const half = (value: number): number => "no";\n' },
    finding: "TS2322",
  },
  {
    gate: lint,
    violation: "an any",
    files: { "libs/low/src/half.ts": "export const half = (value: any): number => value / 2;\n" },
    finding: "noExplicitAny",
  },
  {
    gate: lint,
    violation: "a floating promise",
    files: {
      "libs/high/src/index.ts":
        'const save = async (): Promise<void> => {\n  await Promise.reject(new Error("lost"));\n};\n\nexport const run = (): void => {\n  save();\n};\n',
    },
    finding: "noFloatingPromises",
  },
  {
    gate: lint,
    violation: "a line out of format",
    files: { "libs/low/src/half.ts": "export const half = (value: number): number => value/2\n" },
    finding: "Formatter would have printed",
  },
  {
    gate: boundaries,
    violation: "an import of a higher layer",
    files: { "libs/low/src/half.ts": 'export { quarter as half } from "@drover/high";\n' },
    finding: "libs/low-imports-only-lower-layers",
  },
  {
    gate: boundaries,
    violation: "a type imported from a higher layer",
    files: {
      "libs/low/src/half.ts":
        'import type { quarter } from "@drover/high";\n\nexport const half = (value: Parameters<typeof quarter>[0]): number => value / 2;\n',
    },
    finding: "libs/low-imports-only-lower-layers",
  },
  {
    gate: boundaries,
    violation: "an import past the index",
    files: { "libs/high/src/index.ts": 'export { half as quarter } from "../../low/src/half.ts";\n' },
    finding: "a-project-is-entered-by-its-index",
  },
  {
    gate: boundaries,
    violation: "a cycle",
    files: {
      "libs/low/src/half.ts":
        'import { one } from "./one.ts";\n\nexport const half = (value: number): number => value / one(2);\n',
      "libs/low/src/one.ts":
        'import { half } from "./half.ts";\n\nexport const one = (value: number): number => (value > 2 ? half(value) : value);\n',
    },
    finding: "no-cycles",
  },
  {
    gate: boundaries,
    violation: "a package that no package.json names",
    files: { "libs/high/src/index.ts": 'import vitest from "vitest";\n\nexport const quarter = vitest;\n' },
    finding: "libs/high/src/index.ts → ",
  },
  {
    gate: purity,
    violation: "a timer",
    files: { "libs/low/src/half.ts": "export const half = (run: () => void) => setTimeout(run, 1);\n" },
    finding: "libs/low/src/half.ts:1 a pure library uses setTimeout: take a `Clock`",
  },
  {
    gate: purity,
    violation: "a timer by way of globalThis",
    files: { "libs/low/src/half.ts": "export const half = (run: () => void) => globalThis.setTimeout(run, 1);\n" },
    finding: "a pure library uses setTimeout",
  },
  {
    gate: purity,
    violation: "a timer that is handed on",
    files: { "libs/low/src/half.ts": "export const half = (schedule = setTimeout) => schedule;\n" },
    finding: "a pure library uses setTimeout",
  },
  {
    gate: purity,
    violation: "a module that reads files",
    files: { "libs/low/src/half.ts": 'export { readFileSync as half } from "node:fs";\n' },
    finding: "a pure library uses node:fs",
  },
  {
    gate: purity,
    violation: "random bytes",
    files: { "libs/low/src/half.ts": 'export { randomBytes as half } from "node:crypto";\n' },
    finding: "a pure library uses node:crypto's randomBytes",
  },
  {
    gate: purity,
    violation: "the clock",
    files: { "libs/low/src/half.ts": "export const half = () => Date.now() / 2;\n" },
    finding: "a pure library uses Date.now",
  },
  {
    gate: length,
    violation: "a file of 301 lines",
    files: {
      "libs/low/src/half.ts": `export const half = (value: number): number => value / 2;\n${"// more\n".repeat(300)}`,
    },
    finding: "libs/low/src/half.ts has 301 lines; 300 are allowed",
  },
  {
    gate: length,
    violation: "a function of 61 lines",
    files: {
      "libs/low/src/half.ts": `/** Half. */\nexport function half(value: number): number {\n${"  // more\n".repeat(58)}  return value / 2;\n}\n`,
    },
    finding: "libs/low/src/half.ts:2 half has 61 lines; 60 are allowed",
  },
  {
    gate: silentDefaults,
    violation: "a default for an element that is not there",
    files: { "libs/core/src/first.ts": "export const first = (list: readonly number[]) => list[0] ?? 0;\n" },
    finding: "libs/core/src/first.ts:1 list[0] ?? 0 replaces a missing element in silence",
  },
  {
    gate: silentDefaults,
    violation: "a default for the last element",
    files: { "libs/core/src/last.ts": 'export const last = (list: readonly string[]) => list.at(-1) ?? "";\n' },
    finding: 'list.at(-1) ?? ""',
  },
  {
    gate: silentDefaults,
    violation: "a default in an array pattern",
    files: { "libs/core/src/first.ts": "export const first = ([one = 0]: readonly number[]) => one;\n" },
    finding: "libs/core/src/first.ts:1 one = 0",
  },
  {
    gate: abortReasons,
    violation: "an abort without a reason",
    files: { "libs/low/src/half.ts": "export const half = (ended: AbortController) => ended.abort();\n" },
    finding: "libs/low/src/half.ts:1 ended.abort() aborts without a typed reason",
  },
  {
    gate: abortReasons,
    violation: "an abort with a plain error",
    files: {
      "libs/low/src/half.ts": 'export const half = (ended: AbortController) => ended.abort(new Error("over"));\n',
    },
    finding: "aborts without a typed reason",
  },
  {
    gate: abortReasons,
    violation: "a timeout of the platform's own",
    files: { "libs/low/src/half.ts": "export const half = () => AbortSignal.timeout(1000);\n" },
    finding: "AbortSignal.timeout(1000) aborts without a typed reason",
  },
  {
    gate: deadCode,
    violation: "a file that nothing imports",
    files: { "libs/low/src/forgotten.ts": "export const forgotten = 1;\n" },
    finding: "libs/low/src/forgotten.ts",
  },
  {
    gate: deadCode,
    violation: "an export that nothing uses",
    files: {
      "libs/low/src/half.ts":
        "export const half = (value: number): number => value / 2;\n\nexport const unused = (): number => half(1);\n",
    },
    finding: "unused",
  },
  {
    gate: generated,
    violation: "generated code edited by hand",
    files: { [GENERATED]: "export const edited = 1;\n" },
    finding: GENERATED,
  },
  {
    gate: generated,
    violation: "generated code of a .proto that is gone",
    files: { "libs/proto/src/gen/drover/v1/gone_pb.ts": "export const gone = 1;\n" },
    finding: "drover/v1/gone_pb.ts",
  },
  {
    gate: dashboards,
    violation: "a dashboard edited by hand",
    files: { "helm/drover/files/dashboards/drover-overview.json": "{}\n" },
    finding: "drover-overview.json is not what",
  },
  {
    gate: dashboards,
    violation: "a dashboard that nothing describes",
    files: { "helm/drover/files/dashboards/forgotten.json": "{}\n" },
    finding: "forgotten.json",
  },
  {
    gate: apiPageGate,
    violation: "a page of the interface edited by hand",
    files: { "docs/api.md": "# HTTP interface\n" },
    finding: "docs/api.md is not what libs/openai says",
  },
  {
    gate: protoLint,
    violation: "a field that is not in snake case",
    files: {
      "proto/drover/planted/v1/planted.proto":
        'syntax = "proto3";\n\npackage drover.planted.v1;\n\nmessage Planted {\n  string badName = 1;\n}\n',
    },
    finding: "bad_name",
  },
  {
    gate: protoBreaking,
    violation: "a field that is gone without its number being reserved",
    files: { [QUEUE]: changed(QUEUE, "  bool front = 5;\n", "") },
    finding: 'field "5" with name "front" on message "Job" was deleted',
  },
  {
    gate: protoBreaking,
    violation: "a name of the clients' API that is another",
    files: { [INFERENCE]: changed(INFERENCE, "optional uint64 seed = 9", "optional uint64 start = 9") },
    finding: 'changed name from "seed" to "start"',
  },
  {
    gate: flags,
    violation: "a flag that is not described",
    files: { "docs/configuration.md": "# Configuration\n\n## drover up\n" },
    finding: "docs/configuration.md does not describe drover up --model",
  },
  {
    gate: flags,
    violation: "a description of a flag that is gone",
    files: { "docs/configuration.md": "# Configuration\n\n## drover up\n\n`--model DIR`, `--speed N`\n" },
    finding: '"drover up": drover up has no --speed',
  },
  {
    gate: pages,
    violation: "a page that names a file which is not there",
    files: { "docs/halves.md": "Halves are in `libs/low/src/halves.ts`.\n" },
    finding: "docs/halves.md names libs/low/src/halves.ts, which is not there",
  },
  {
    gate: pages,
    violation: "a link to a page which is not there",
    files: { "docs/halves.md": "See [quarters](quarters.md#one).\n" },
    finding: "docs/halves.md names docs/quarters.md",
  },
  {
    gate: pages,
    violation: "a project that the map does not have",
    files: { "README.md": "| `libs/low` | halves |\n| `libs/lost` | gone |\n| `apps/drover` | the command |\n" },
    finding: "README.md has no line for libs/high in its map\nREADME.md has a line for libs/lost",
  },
];
