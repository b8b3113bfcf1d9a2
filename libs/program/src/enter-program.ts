import { existsSync } from "node:fs";
import { dirname, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundledFile, freshBundle } from "./bundle.ts";
import { wantsSources } from "./wants-sources.ts";

const ROOT = dirname(dirname(dirname(import.meta.dirname)));

/**
 * Runs a program, given the URL of its module in the sources: from the bundle, where there is one that is up to date, because a thousand modules
 * take most of a second to load, and else from the sources; from them too under flags of Node that are about modules, in NODE_OPTIONS too. Resolves once the module has been evaluated.
 */
export async function enterProgram(source: URL): Promise<void> {
  const folder = wantsSources(process.execArgv, process.env.NODE_OPTIONS) ? undefined : freshBundle(ROOT);
  const bundled = folder === undefined ? undefined : bundledFile(folder, relative(ROOT, fileURLToPath(source)));
  await import(bundled !== undefined && existsSync(bundled) ? pathToFileURL(bundled).href : source.href);
}
