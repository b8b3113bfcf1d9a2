import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";

/** What is answered at one path. `etag` changes with the body; `inlineScripts` are the hashes by which a policy allows those of a document. */
export type PageFile = Readonly<{ type: string; body: Buffer; etag: string; inlineScripts: readonly string[] }>;

/** The document, and what it loads by the name behind `/page/`. */
export type PageFiles = Readonly<{ document: PageFile; parts: ReadonlyMap<string, PageFile> }>;

const SITE = join(import.meta.dirname, "site");
const JAVASCRIPT = "text/javascript; charset=utf-8";
const INLINE_SCRIPT = /<script type="importmap">([^<]*)</g;

const PREACT = dirname(createRequire(import.meta.url).resolve("preact/package.json"));

/** Modules of packages: the map in index.html leads from their names to these. */
const PACKAGES = {
  "preact.js": join(PREACT, "dist/preact.mjs"),
  "preact-hooks.js": join(PREACT, "hooks/dist/hooks.mjs"),
} as const;

const readText = (path: string): string => readFileSync(path, "utf8");

/**
 * Everything that the page for people consists of: its document, its style and its modules without their types. Nothing comes from another host.
 * Reads the files anew with each call.
 */
export async function pageFiles(): Promise<PageFiles> {
  const parts = new Map([["style.css", pageFile("text/css; charset=utf-8", readText(join(SITE, "style.css")))]]);
  const names = readdirSync(SITE).filter((name) => name.endsWith(".ts") && !name.endsWith(".spec.ts"));
  const modules = await withoutTypes(names.map((name) => readText(join(SITE, name))));
  for (const [i, text] of modules.entries()) parts.set(names[i] ?? "", pageFile(JAVASCRIPT, text));
  for (const [name, file] of Object.entries(PACKAGES)) {
    const text = readText(file);
    // Maps of sources are for those who build the package.
    parts.set(name, pageFile(JAVASCRIPT, text.replace(/\n\/\/# sourceMappingURL=.*/, "")));
  }
  return { document: pageFile("text/html; charset=utf-8", readText(join(SITE, "index.html"))), parts };
}

/** In a thread: Node warns wherever types are stripped by a call, and can be told not to for a whole thread alone. */
async function withoutTypes(sources: readonly string[]): Promise<string[]> {
  const thread = new Worker(new URL("./strip-types.ts", import.meta.url), {
    workerData: sources,
    execArgv: [...process.execArgv, "--disable-warning=ExperimentalWarning"],
  });
  const [modules] = (await once(thread, "message")) as [string[]];
  return modules;
}

function pageFile(type: string, text: string): PageFile {
  const inlineScripts = [...text.matchAll(INLINE_SCRIPT)].map(
    ([, script = ""]) => `sha256-${sha256(script, "base64")}`,
  );
  return { type, body: Buffer.from(text), etag: `"${sha256(text, "base64url")}"`, inlineScripts };
}

const sha256 = (text: string, encoding: "base64" | "base64url"): string =>
  createHash("sha256").update(text).digest(encoding);
