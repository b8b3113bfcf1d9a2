// What of the installed packages running never reads, and its removal: a third of what npm's registry hands out. Plain JavaScript, as set-up is.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Declarations, maps and manuals. Licences are kept, whatever their ending. */
const NEEDLESS = /(?:\.[cm]?ts|\.map|\.md|\.markdown|\.flow)$/i;
const LICENCE = /^(?:licen[cs]e|notice|copying|authors|patents)/i;

/** Whether nothing that runs reads a package's file of this name. Node strips no types below node_modules, so a TypeScript file there is none. */
const isNeedless = (name) => NEEDLESS.test(name) && !LICENCE.test(name);

/** Whether a folder of the runtime's libraries, `SYSTEM/PROCESSOR`, is for another machine than this. */
const isForeign = (system, processor) => system !== process.platform || processor !== process.arch;

const markOf = (root) => join(root, "node_modules/.lean");

/**
 * Takes out of Node and of the packages what running never reads. What is left serves running alone: a mark in `node_modules` says so, from
 * before the first file goes, so that an interrupted removal is known too.
 */
export function makeLean(root) {
  writeFileSync(markOf(root), "");
  const node = join(root, ".toolchain/node_modules/node/node_modules", `node-${process.platform}-${process.arch}`);
  for (const name of ["include", "share", "CHANGELOG.md"]) remove(join(node, name));
  const packages = join(root, "node_modules/.pnpm");
  for (const name of readdirSync(packages)) {
    if (name.startsWith("onnxruntime-node@"))
      removeForeign(join(packages, name, "node_modules/onnxruntime-node/bin/napi-v6"));
    removeNeedless(join(packages, name, "node_modules"));
  }
}

/** Where `makeLean` has been, removes the packages, so that the next installation has all of each. The store that they come from still has them. */
export function forgetLean(root) {
  if (existsSync(markOf(root))) remove(join(root, "node_modules"));
}

function removeForeign(binaries) {
  for (const system of foldersOf(binaries))
    for (const processor of foldersOf(join(binaries, system)))
      if (isForeign(system, processor)) remove(join(binaries, system, processor));
}

/** Links are left alone: they lead to other packages. */
function removeNeedless(folder) {
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeNeedless(path);
    else if (entry.isFile() && isNeedless(entry.name)) remove(path);
  }
}

function foldersOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

function remove(path) {
  rmSync(path, { recursive: true, force: true });
}
