import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { repository } from "../gates/gate.ts";

/** Where the page's modules are kept as browsers run them. */
export const PAGE_FOLDER = "libs/page/src/built";

const SITE = join(repository, "libs/page/src/site");

/** The text of each module of the page for people, by its file's name: its types are stripped as Node strips a server's, and nothing else changes. */
export function pageModules(): ReadonlyMap<string, string> {
  const names = readdirSync(SITE).filter((name) => name.endsWith(".ts") && !name.endsWith(".spec.ts"));
  return new Map(names.map((name) => [name.replace(/ts$/, "js"), built(readFileSync(join(SITE, name), "utf8"))]));
}

function built(source: string): string {
  return stripTypeScriptTypes(source)
    .replaceAll(/(from "\.\/[a-z-]+)\.ts"/g, '$1.js"')
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n");
}
