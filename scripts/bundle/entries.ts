import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** How sources name a module that is a program of its own: a process's or a thread's. */
const PROGRAM = /new URL\("(\.{1,2}\/[\w./-]+\.ts)", import\.meta\.url\)/g;

/** Absolute paths of the modules that the sources in `folders` start as programs, each once, sorted. Tests' own are left out. */
export function programs(folders: readonly string[]): string[] {
  const files = folders.flatMap(sourcesIn);
  return [...new Set(files.flatMap((file) => startedBy(file, readFileSync(file, "utf8"))))].sort();
}

/** Absolute paths of the programs that one source names. */
function startedBy(file: string, text: string): string[] {
  return [...text.matchAll(PROGRAM)]
    .map(([, path = ""]) => resolve(dirname(file), path))
    .filter((path) => existsSync(path));
}

/** The text with `place(path)` instead of each URL of a program, given its absolute path. */
export function withPrograms(file: string, text: string, place: (program: string) => string): string {
  return text.replace(PROGRAM, (whole, path: string) => {
    const program = resolve(dirname(file), path);
    return existsSync(program) ? place(program) : whole;
  });
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" || entry.name === "testing" ? [] : sourcesIn(path);
    return entry.name.endsWith(".ts") && !entry.name.endsWith(".spec.ts") ? [path] : [];
  });
}
