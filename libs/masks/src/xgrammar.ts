import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { compileFunction } from "node:vm";
import { assert } from "@drover/core";
import type * as XGrammarPackage from "@mlc-ai/web-xgrammar";

/** The parts of XGrammar that are used. */
export type XGrammar = Pick<typeof XGrammarPackage, "Grammar" | "GrammarCompiler" | "GrammarMatcher" | "TokenizerInfo">;

/** What the package sees in place of the names of its surroundings: nothing, so that it reaches no file, no network and no process. */
const HIDDEN = ["process", "require", "document", "window", "importScripts", "fetch", "XMLHttpRequest"] as const;

/** It quotes grammars where it complains, and those are a client's. */
const SILENT = { log: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Loads XGrammar. Its package says that it is ESM and holds UMD, which neither `import` nor `require` takes; and without surroundings it
 * finds its WebAssembly where it is, in the same file. Each call makes an instance of its own.
 */
export function loadXGrammar(): XGrammar {
  const file = createRequire(import.meta.url).resolve("@mlc-ai/web-xgrammar");
  const run = compileFunction(readFileSync(file, "utf8"), ["exports", "module", "location", "console", ...HIDDEN], {
    filename: file,
  });
  const module: { exports: Partial<XGrammar> } = { exports: {} };
  run(module.exports, module, { href: "file:///" }, SILENT);
  const { Grammar, GrammarCompiler, GrammarMatcher, TokenizerInfo } = module.exports;
  assert(
    Grammar !== undefined &&
      GrammarCompiler !== undefined &&
      GrammarMatcher !== undefined &&
      TokenizerInfo !== undefined,
    "the package exports what it documents",
  );
  return { Grammar, GrammarCompiler, GrammarMatcher, TokenizerInfo };
}
