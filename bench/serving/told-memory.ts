import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";

/** Bytes that a checkout's router may take with these flags, as its `--help` says. */
export function toldMemory(checkout: string, flags: readonly string[]): number {
  const main = join(resolve(checkout), "apps/router/src/main.ts");
  const text = execFileSync(process.execPath, ["--conditions=@drover/source", main, "--help", ...flags], {
    encoding: "utf8",
  });
  const mib = /^ {2}in all +(\d+) MiB/m.exec(text)?.[1];
  if (mib === undefined) throw new Error("the router's --help tells no sum");
  return Number(mib) * 2 ** 20;
}
