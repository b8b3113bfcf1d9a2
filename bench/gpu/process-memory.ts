import { readdirSync, readFileSync } from "node:fs";

/** A process, what it is, and the bytes that it keeps resident. */
export type ProcessMemory = Readonly<{ pid: number; name: string; bytes: number }>;

/** A process and all that it and its children started, as /proc of Linux says; those that ended meanwhile are left out. */
export function processesOf(pid: number): readonly ProcessMemory[] {
  const parents = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), parentOf(Number(name))]),
  );
  const isOwn = (one: number | undefined): boolean => one !== undefined && (one === pid || isOwn(parents.get(one)));
  return [...parents.keys()].filter(isOwn).flatMap((one) => {
    const bytes = 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(read(one, "status"))?.[1] ?? 0);
    return bytes === 0 ? [] : [{ pid: one, name: nameOf(one), bytes }];
  });
}

/** The program of Drover's that it runs, and the roles of a worker; of others the command. */
function nameOf(pid: number): string {
  const words = read(pid, "cmdline").split("\0");
  const program = words.map((word) => /([^/]+)\/src\/main\.ts$/.exec(word)?.[1]).find((found) => found !== undefined);
  const roles = words.find((word) => word.startsWith("--roles="));
  return [program ?? words[0] ?? "?", ...(roles === undefined ? [] : [roles.slice("--roles=".length)])].join(" ");
}

function parentOf(pid: number): number | undefined {
  const parent = /^PPid:\s+(\d+)/m.exec(read(pid, "status"))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Nothing where the process has ended. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
