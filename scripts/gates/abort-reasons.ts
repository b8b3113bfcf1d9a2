import ts from "typescript";
import type { Gate, GateResult } from "./gate.ts";
import { isTestFile, lineOf, type Source, sourcesIn, visit } from "./sources.ts";

/**
 * A signal aborts with a `DroverError`, since its reason is what callers are told: never without a reason, with a plain `Error`, or by
 * `AbortSignal.timeout`, whose reason is a DOMException.
 */
export const abortReasons: Gate = {
  name: "abort-reasons",
  remedy:
    "Give `abort` a DroverError: `cancelled` where nobody wants the work any more, `unavailable` where somebody else may do it. Bound a call by `withTimeout` (libs/core/src/signals.ts), which has a clock, a code and a sentence.",
  check: async (root) => check(root),
};

function check(root: string): GateResult {
  // What runs in a browser has no DroverError, and tells nobody but its own page.
  const isProduct = (file: string) =>
    /^(apps|libs)\//.test(file) && !file.startsWith("libs/page/src/site/") && !isTestFile(file);
  const findings = sourcesIn(root, isProduct).flatMap(untypedIn);
  return { ok: findings.length === 0, output: findings.join("\n") };
}

function untypedIn(source: Source): string[] {
  const findings: string[] = [];
  visit(source.tree, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    const [reason] = node.arguments;
    const called = node.expression.getText();
    const isUntyped =
      called === "AbortSignal.timeout" ||
      (node.expression.name.text === "abort" &&
        called !== "process.abort" &&
        (reason === undefined || (ts.isNewExpression(reason) && reason.expression.getText() === "Error")));
    if (isUntyped)
      findings.push(`${source.file}:${lineOf(source, node)} ${node.getText()} aborts without a typed reason`);
  });
  return findings;
}
