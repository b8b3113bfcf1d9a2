import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What is answered at one path. `etag` changes with the body; `inlineScripts` are the hashes by which a policy allows those of a document. */
export type PageFile = Readonly<{ type: string; body: Buffer; etag: string; inlineScripts: readonly string[] }>;

const SITE = join(import.meta.dirname, "site");
/** The site's modules without their types: `npm run page`. */
const BUILT = join(import.meta.dirname, "built");
const JAVASCRIPT = "text/javascript; charset=utf-8";

const INLINE_SCRIPT = /<script type="importmap">([^<]*)</g;

const sha256 = (text: string, encoding: "base64" | "base64url"): string =>
  createHash("sha256").update(text).digest(encoding);

/** Modules of packages: the map in index.html leads from their names to these. */
const PACKAGES = { "preact.js": "preact", "preact-hooks.js": "preact/hooks" } as const;

/** The document, and what it loads by the name behind `/page/`. */
export type PageFiles = Readonly<{ document: PageFile; parts: ReadonlyMap<string, PageFile> }>;

/**
 * Everything that the page for people consists of: its document, its style and its modules. Nothing comes from another host. Reads the files
 * anew with each call.
 */
export function pageFiles(): PageFiles {
  const parts = new Map<string, PageFile>();
  parts.set("style.css", pageFile("text/css; charset=utf-8", readFileSync(join(SITE, "style.css"), "utf8")));
  for (const name of readdirSync(BUILT)) parts.set(name, pageFile(JAVASCRIPT, readFileSync(join(BUILT, name), "utf8")));
  for (const [name, module] of Object.entries(PACKAGES)) {
    // Maps of sources are for those who build the package.
    const text = readFileSync(fileURLToPath(import.meta.resolve(module)), "utf8").replace(
      /\n\/\/# sourceMappingURL=.*/,
      "",
    );
    parts.set(name, pageFile(JAVASCRIPT, text));
  }
  return { document: pageFile("text/html; charset=utf-8", readFileSync(join(SITE, "index.html"), "utf8")), parts };
}

function pageFile(type: string, text: string): PageFile {
  const inlineScripts = [...text.matchAll(INLINE_SCRIPT)].map(
    ([, script = ""]) => `sha256-${sha256(script, "base64")}`,
  );
  return { type, body: Buffer.from(text), etag: `"${sha256(text, "base64url")}"`, inlineScripts };
}
