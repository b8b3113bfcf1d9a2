import { existsSync } from "node:fs";
import { join } from "node:path";

export const repository = join(import.meta.dirname, "../../../..");

/** Where the reference data lies, beside the repository. */
export const shared = join(repository, "../shared");

/** Whether tests against the reference data are left out: never in CI, where its absence is a failure. */
export const withoutReferenceData = !existsSync(shared) && process.env.CI === undefined;
