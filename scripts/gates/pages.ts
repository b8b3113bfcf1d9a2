import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Gate, GateResult } from "./gate.ts";
import { findProjects } from "./projects.ts";

const MAP = "README.md";

/** A path in code, from the repository's root: `libs/kv/src/kv-cache.ts`, `docs/kv.md`. Patterns and names to fill in are none. */
const PATH = /`((?:apps|bench|bin|deploy|docs|helm|libs|models|proto|scripts|tests)\/[\w./-]+)(?::[\w.]+)?`/g;
/** A link to a file of the repository. */
const LINK = /\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)/g;

/** Every file that a page names is there, and the README's map has each library and app, and no other. */
export const pages: Gate = {
  name: "pages",
  remedy:
    "Name the file that is meant now; a project that is new, renamed or gone changes its line in the README's map.",
  check: async (root) => check(root),
};

function check(root: string): GateResult {
  const names = ["README.md", "CONTRIBUTING.md", ...pagesIn(root)].filter((name) => existsSync(join(root, name)));
  const findings = [...names.flatMap((name) => brokenPaths(root, name)), ...wrongMap(root)];
  return { ok: findings.length === 0, output: findings.join("\n") };
}

function pagesIn(root: string): string[] {
  const folder = join(root, "docs");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
}

function brokenPaths(root: string, page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  const paths = [...text.matchAll(PATH)].flatMap(([, path]) => path ?? []);
  const links = [...text.matchAll(LINK)].flatMap(([, path]) => (path === undefined ? [] : join(dirname(page), path)));
  const broken = [...new Set([...paths, ...links])].filter((path) => !existsSync(join(root, path)));
  return broken.map((path) => `${page} names ${path}, which is not there`);
}

function wrongMap(root: string): string[] {
  const text = existsSync(join(root, MAP)) ? readFileSync(join(root, MAP), "utf8") : "";
  const rows = [...text.matchAll(/^\| `((?:apps|libs)\/[\w-]+)` \|/gm)].flatMap(([, folder]) => folder ?? []);
  const folders = findProjects(root).map(({ folder }) => folder);
  return [
    ...folders
      .filter((folder) => !rows.includes(folder))
      .map((folder) => `${MAP} has no line for ${folder} in its map`),
    ...rows.filter((row) => !folders.includes(row)).map((row) => `${MAP} has a line for ${row}, which is no project`),
  ];
}
