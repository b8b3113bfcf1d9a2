import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const repository = join(import.meta.dirname, "../../../..");

/** Where the reference data lies, beside the repository. */
const shared = join(repository, "../shared");

/** Whether tests against the reference data are left out: never in CI, where its absence is a failure. */
export const withoutReferenceData = !existsSync(shared) && process.env.CI === undefined;

/** A reference file's JSON lines; none where the data is left out. */
export function referenceLines(name: string): readonly Readonly<Record<string, unknown>>[] {
  if (withoutReferenceData) return [];
  const lines = readFileSync(join(shared, "goldens", name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}
