import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const FOLDERS = ["apps", "libs", "bench", "tests", "scripts"];
const FOREIGN = /(^|\/)(node_modules|gen|dist)\//;

/** A TypeScript file, named relative to the checked folder, and its syntax tree. */
export type Source = Readonly<{ file: string; tree: ts.SourceFile }>;

/** All TypeScript files that are written by hand and whose name `isWanted` takes, in the order of their names. */
export function sourcesIn(root: string, isWanted: (file: string) => boolean = () => true): Source[] {
  return FOLDERS.filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => filesIn(root, folder))
    .filter((file) => file.endsWith(".ts") && isWanted(file))
    .sort()
    .map((file) => {
      const text = readFileSync(join(root, file), "utf8");
      return { file, tree: ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true) };
    });
}

/** Is it a spec, or code that only specs use? */
export const isTestFile = (file: string): boolean =>
  file.endsWith(".spec.ts") || file.startsWith("tests/") || file.includes("/testing/");

/** The line on which the node itself begins, comments before it left out; the first is 1. */
export const lineOf = ({ tree }: Source, node: ts.Node): number =>
  tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;

/** Visits a node and all below it, outer ones first. */
export function visit(node: ts.Node, take: (node: ts.Node) => void): void {
  take(node);
  ts.forEachChild(node, (child) => visit(child, take));
}

/** Names below `folder`, but for what is generated or installed, and without following links. */
function filesIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (FOREIGN.test(`${name}/`)) return [];
    return entry.isDirectory() ? filesIn(root, name) : [name];
  });
}
