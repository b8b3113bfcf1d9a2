import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where the reference outputs lie, beside the repository. */
export const goldens = join(import.meta.dirname, "../../../../../../shared/goldens");

/** Whether tests against the reference outputs are left out: never in CI, where their absence is a failure. */
export const withoutGoldens = !existsSync(goldens) && process.env.CI === undefined;

/** The lines of a file of the goldens. */
export function readLines<T>(name: string): readonly T[] {
  const lines = readFileSync(join(goldens, name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line): T => JSON.parse(line));
}
