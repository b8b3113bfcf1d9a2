import ts from "typescript";
import type { Gate, GateResult } from "./gate.ts";
import { isTestFile, lineOf, type Source, sourcesIn, visit } from "./sources.ts";

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 60;

/** No file has more than 300 lines, and outside of tests no function more than 60, comments before it left out. */
export const length: Gate = {
  name: "length",
  remedy:
    "Split a file by concern, one noun a file. Of a long function, give each step a name and a function of its own; of a table, one for each group.",
  check: async (root) => check(root),
};

function check(root: string): GateResult {
  const findings = sourcesIn(root, () => true).flatMap((source) => [
    ...longFile(source),
    ...(isTestFile(source.file) ? [] : longFunctions(source)),
  ]);
  return { ok: findings.length === 0, output: findings.join("\n") };
}

function longFile({ file, tree }: Source): string[] {
  const lineCount = tree.getLineAndCharacterOfPosition(tree.end).line;
  return lineCount > FILE_LINES_MAX ? [`${file} has ${lineCount} lines; ${FILE_LINES_MAX} are allowed`] : [];
}

function longFunctions(source: Source): string[] {
  const findings: string[] = [];
  visit(source.tree, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
    const first = lineOf(source, node);
    const lineCount = source.tree.getLineAndCharacterOfPosition(node.end).line + 2 - first;
    if (lineCount <= FUNCTION_LINES_MAX) return;
    const name = node.name?.getText() ?? "a function";
    findings.push(`${source.file}:${first} ${name} has ${lineCount} lines; ${FUNCTION_LINES_MAX} are allowed`);
  });
  return findings;
}
