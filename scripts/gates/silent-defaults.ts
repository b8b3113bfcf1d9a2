import ts from "typescript";
import type { Gate, GateResult } from "./gate.ts";
import { isTestFile, lineOf, type Source, sourcesIn, visit } from "./sources.ts";

/**
 * Where an index that leads nowhere is a bug, always. Not here: loops over typed arrays that are as hot as a token or a pixel, and readers of
 * languages in which a part may be left out.
 */
const STRICT = [
  "libs/core",
  "libs/llama4",
  "libs/engine",
  "libs/kv",
  "libs/sequences",
  "libs/fleet/src/experts",
  "libs/fleet/src/members",
  "libs/fleet/src/requests",
  "libs/planning",
  "libs/threads",
  "libs/telemetry",
  "libs/intake/src/prompts",
  "libs/checkpoint/src/check",
  "libs/checkpoint/src/config",
  "libs/wire",
  "libs/queue",
  "libs/scheduler",
  "libs/onnx/src/graphs",
];

/**
 * A missing element is never replaced in silence: neither an index into a list (`names[i] ?? ""`, `names.at(-1) ?? ""`) nor a slot of an array
 * pattern (`[first = 0]`) has a default.
 */
export const silentDefaults: Gate = {
  name: "silent-defaults",
  remedy:
    "Take the element by `at(list, i)` (libs/core/src/at.ts), which asserts that it is there, or type the list as a tuple. Where it may be missing, say so: compare with undefined, or keep the values in a Map.",
  check: async (root) => check(root),
};

function check(root: string): GateResult {
  const isStrict = (file: string) => !isTestFile(file) && STRICT.some((folder) => file.startsWith(`${folder}/`));
  const findings = sourcesIn(root, isStrict).flatMap(defaultsIn);
  return { ok: findings.length === 0, output: findings.join("\n") };
}

function defaultsIn(source: Source): string[] {
  const findings: string[] = [];
  const report = (node: ts.Node) =>
    findings.push(`${source.file}:${lineOf(source, node)} ${node.getText()} replaces a missing element in silence`);
  visit(source.tree, (node) => {
    if (ts.isArrayBindingPattern(node)) {
      for (const slot of node.elements) if (ts.isBindingElement(slot) && slot.initializer !== undefined) report(slot);
    }
    if (isCoalescing(node) && isIndex(node.left) && node.right.getText() !== "undefined") report(node);
  });
  return findings;
}

const isCoalescing = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken;

const isIndex = (node: ts.Expression): boolean =>
  ts.isElementAccessExpression(node) ||
  (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === "at");
