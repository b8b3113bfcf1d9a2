import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Gate, GateResult } from "./gate.ts";
import { findProjects } from "./projects.ts";

/** Node's own modules that only compute. */
const PURE_BUILTINS = ["node:assert", "node:buffer", "node:crypto", "node:path", "node:util"];

/** What only computes of `node:crypto`; the rest draws random bytes or starts threads. */
const PURE_CRYPTO = ["createHash", "hash", "Hash", "timingSafeEqual"];

const CLOCK = "take a `Clock` (libs/core/src/clock.ts)";
const CHANCE = "take a seed, or what is drawn, as an argument";
const TURNS = "return, and let the caller give others their turn";
const ARGUMENT = "take what is read there as an argument";

/** What reaches the clock, chance, the network, the process or the terminal, and what a pure library does in its place. */
const EFFECTS: ReadonlyMap<string, string> = new Map([
  ["setTimeout", CLOCK],
  ["setInterval", CLOCK],
  ["setImmediate", TURNS],
  ["queueMicrotask", TURNS],
  ["fetch", ARGUMENT],
  ["process", ARGUMENT],
  ["console", "take a `Logger` (libs/core/src/ports/logger.ts)"],
  ["performance", CLOCK],
]);
const EFFECT_MEMBERS: ReadonlyMap<string, string> = new Map([
  ["Date.now", CLOCK],
  ["Math.random", CHANCE],
  ["AbortSignal.timeout", "take an `AbortSignal`; deadlines become signals at the edge"],
  ["crypto.randomUUID", CHANCE],
  ["crypto.getRandomValues", CHANCE],
]);

/** The few files of pure projects that are adapters themselves: the machine's clock behind its port, and the loaders of files. */
const ADAPTER_FILES = [
  "libs/core/src/clock.ts",
  "libs/chat/src/load-chat-template.ts",
  "libs/tokenizer/src/load-tokenizer.ts",
];

/** Projects tagged `pure` have no I/O, timer, clock, chance or terminal. */
export const purity: Gate = {
  name: "purity",
  remedy:
    "A library that must have the effect itself is an adapter: it loses the tag `pure` and moves to layer 3, behind a port.",
  check: async (root) => check(root),
};

function check(root: string): GateResult {
  const findings = findProjects(root)
    .filter((project) => project.pure)
    .flatMap((project) => sourcesOf(root, project.folder))
    .filter((file) => !ADAPTER_FILES.includes(file))
    .flatMap((file) => effectsIn(file, readFileSync(join(root, file), "utf8")));
  return { ok: findings.length === 0, output: findings.join("\n") };
}

function sourcesOf(root: string, folder: string): string[] {
  return readdirSync(join(root, folder, "src"), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, "src", name))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".spec.ts") && !/\/(gen|testing)\//.test(file));
}

function effectsIn(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const findings: string[] = [];
  const report = (node: ts.Node, what: string, instead: string | undefined) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    if (instead !== undefined) findings.push(`${file}:${line + 1} a pure library uses ${what}: ${instead}`);
  };
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const name = node.moduleSpecifier.getText().slice(1, -1);
      if (name.startsWith("node:") && !PURE_BUILTINS.includes(name)) report(node, name, ARGUMENT);
      if (name === "node:crypto") {
        const members = membersOf(node).filter((member) => !PURE_CRYPTO.includes(member));
        for (const member of members) report(node, `${name}'s ${member}`, CHANCE);
      }
    }
    if (ts.isPropertyAccessExpression(node)) report(node, node.getText(), EFFECT_MEMBERS.get(node.getText()));
    if (ts.isIdentifier(node) && isGlobalUse(node)) report(node, node.text, EFFECTS.get(node.text));
    if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments?.length ?? 0) === 0) {
      report(node, "new Date()", CLOCK);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}

/** The names that a module is asked for; `*` where it is all of them. */
function membersOf(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  const named = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
  if (named === undefined || ts.isNamespaceImport(named) || ts.isNamespaceExport(named)) return ["*"];
  const isDefault = ts.isImportDeclaration(node) && node.importClause?.name !== undefined;
  return [...(isDefault ? ["*"] : []), ...named.elements.map((each) => (each.propertyName ?? each.name).text)];
}

/** Is the name read as a value here, rather than naming a member, a parameter, an import or a type? */
function isGlobalUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node || isGlobalThis(parent.expression);
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  const isName = "name" in parent && parent.name === node;
  const isOldName = "propertyName" in parent && parent.propertyName === node;
  return !isName && !isOldName && !ts.isTypeNode(parent) && !ts.isQualifiedName(parent);
}

const isGlobalThis = (node: ts.Expression): boolean => ts.isIdentifier(node) && node.text === "globalThis";
