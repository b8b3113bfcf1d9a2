import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Package } from "./closure.ts";
import type { Layout } from "./layout.ts";

/** What nobody loads at run time. */
const LEFT_OUT_FILES = /\.(ts|mts|cts|map|md|markdown|flow|tsbuildinfo|yml|yaml|gyp|lib|h|cc|cpp|musl\.node)$/i;
const LEFT_OUT_FOLDERS = new Set([
  ".github",
  "test",
  "tests",
  "__tests__",
  "benchmark",
  "benchmarks",
  "bench",
  "docs",
  "doc",
  "example",
  "examples",
  "coverage",
]);
const LICENCE = /^(licen[cs]e|notice|copying)/i;

/** Copies the packages below `image`, of native parts only those for Linux and this machine's architecture. */
export function copyPackages(layout: Layout, image: string): void {
  for (const [target, { folder, manifest }] of layout) {
    cpSync(folder, join(image, target), {
      recursive: true,
      dereference: true,
      filter: (path) => isShipped(manifest.name, relative(folder, path)),
    });
  }
}

function isShipped(name: string, path: string): boolean {
  const parts = path.split(sep);
  const file = parts.at(-1) ?? "";
  if (LICENCE.test(file)) return true;
  if (parts.includes("node_modules") || LEFT_OUT_FILES.test(file)) return false;
  // Only at a package's top: deeper, such a name may be a module's.
  if (LEFT_OUT_FOLDERS.has(parts[0] ?? "")) return false;
  if (name === "onnxruntime-node") return isForLinux(parts);
  return true;
}

/** bin/napi-vN/OS/ARCHITECTURE, of which GPU providers are not used. */
function isForLinux([top, , os, architecture, file]: readonly string[]): boolean {
  if (top === "script" || top === "lib") return false;
  if (top !== "bin") return true;
  return (
    (os === undefined || os === "linux") &&
    (architecture === undefined || architecture === process.arch) &&
    file?.includes("providers") !== true
  );
}

/** The text of NOTICES: name, version, licence and licence texts of each package. */
export function notices(layout: Layout): string {
  const packages = new Map([...layout.values()].map((each) => [each.folder, each]));
  const sorted = [...packages.values()].sort((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1));
  const parts = sorted.map((each) => [titleOf(each), ...licenceTexts(each.folder)].join("\n\n"));
  return `Drover comes with these packages, each under its own licence.\n\n${parts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

const titleOf = ({ manifest }: Package): string =>
  `${manifest.name} ${manifest.version} (${manifest.license ?? "licence: see below"})`;

function licenceTexts(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => LICENCE.test(name))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "utf8").trim());
}
