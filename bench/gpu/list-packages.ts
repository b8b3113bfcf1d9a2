import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";

/** Prints the files of all packages that Drover's processes load, and the links to them, by their paths in the repository: what pack.sh brings along. */
const ROOT = join(import.meta.dirname, "../..");
const STORE = join(ROOT, "node_modules/.pnpm");
/** Large packages that only specs load, and those that are named as arguments. */
const TESTS_OWN = ["fast-check", "openai", "playwright-core", "@anthropic-ai/sdk"];
const LEFT_OUT = [...TESTS_OWN, ...process.argv.slice(2)];
const NOT_LOADED = /\.(map|md|markdown|flow|tsbuildinfo|cc|d\.[cm]?ts)$/;
const NOT_LOADED_FOLDERS = /\/(test|tests|__tests__|examples?|docs?|benchmarks?|vendor|musl_x64|esnext)\//;
/** ONNX Runtime for other machines than the one that packs. */
const OTHER_MACHINES = new RegExp(`/napi-v6/(?!${process.platform}/${process.arch}/)`);

const packages = new Set<string>();
const paths = new Set<string>();

function visit(modules: string): void {
  for (const name of readdirSync(modules)) {
    if (name.startsWith(".")) continue;
    const path = join(modules, name);
    if (lstatSync(path).isSymbolicLink() || !name.startsWith("@")) add(path, name);
    else for (const inner of readdirSync(path)) add(join(path, inner), `${name}/${inner}`);
  }
}

function add(path: string, name: string): void {
  if (lstatSync(path).isSymbolicLink()) paths.add(relative(ROOT, path));
  const folder = realpathSync(path);
  if (!folder.startsWith(STORE) || LEFT_OUT.includes(name) || packages.has(folder)) return;
  packages.add(folder);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = relative(ROOT, join(entry.parentPath, entry.name));
    const within = file.slice(file.lastIndexOf("node_modules"));
    const isLeftOut = [NOT_LOADED, NOT_LOADED_FOLDERS, OTHER_MACHINES].some((pattern) => pattern.test(within));
    if (entry.isFile() && !isLeftOut) paths.add(file);
  }
  const [store = ""] = relative(STORE, folder).split("/");
  visit(join(STORE, store, "node_modules"));
}

const projects = ["apps", "libs"].flatMap((group) =>
  readdirSync(join(ROOT, group)).map((project) => join(group, project)),
);
for (const project of [...projects, "bench", "tests"]) {
  const modules = join(ROOT, project, "node_modules");
  if (lstatSync(modules, { throwIfNoEntry: false })?.isDirectory()) visit(modules);
}
process.stdout.write(`${[...paths].sort().join("\n")}\n`);
