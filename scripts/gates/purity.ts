import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Gate, GateResult } from "./gate.ts";
import { findProjects } from "./projects.ts";

/** Node's own modules that only compute. */
const PURE_BUILTINS = ["node:assert", "node:buffer", "node:crypto", "node:path", "node:util"];

/** What only computes of `node:crypto`; the rest draws random bytes or starts threads. */
const PURE_CRYPTO = ["createHash", "hash", "Hash", "timingSafeEqual"];

/** What reaches the clock, chance, the network, the process or the terminal. */
const EFFECTS = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch",
  "process",
  "console",
  "performance",
];
const EFFECT_MEMBERS = [
  "Date.now",
  "Math.random",
  "AbortSignal.timeout",
  "crypto.randomUUID",
  "crypto.getRandomValues",
];

/** The few files of pure projects that are adapters themselves: the machine's clock behind its port, and the loaders of files. */
const ADAPTER_FILES = [
  "libs/core/src/clock.ts",
  "libs/core/src/signals.ts",
  "libs/chat/src/load-chat-template.ts",
  "libs/tokenizer/src/load-tokenizer.ts",
];

/** Projects tagged `pure` have no I/O, timer, clock, chance or terminal. */
export const purity: Gate = { name: "pure libraries", check: async (root) => check(root) };

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
  const report = (node: ts.Node, what: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    findings.push(`${file}:${line + 1} a pure library uses ${what}`);
  };
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const name = node.moduleSpecifier.getText().slice(1, -1);
      if (name.startsWith("node:") && !PURE_BUILTINS.includes(name)) report(node, name);
      if (name === "node:crypto") {
        for (const member of membersOf(node)) if (!PURE_CRYPTO.includes(member)) report(node, `${name}'s ${member}`);
      }
    }
    if (ts.isPropertyAccessExpression(node) && EFFECT_MEMBERS.includes(node.getText())) report(node, node.getText());
    if (ts.isIdentifier(node) && EFFECTS.includes(node.text) && isGlobalUse(node)) report(node, node.text);
    if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments?.length ?? 0) === 0) {
      report(node, "new Date()");
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
