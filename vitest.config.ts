import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { FailureReasons } from "./scripts/failure-reasons.ts";

/** The file that takes minutes first, whole clusters next: what is short fills the gaps at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      moduleId.includes("/tests/goldens/") ? 0 : moduleId.includes("/tests/") ? 1 : 2;
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** Where npm test wants the counts. */
const reportFile = process.env.DROVER_TEST_REPORT;

export default defineConfig({
  resolve: { conditions: ["@drover/source"] },
  ssr: { resolve: { conditions: ["@drover/source"], externalConditions: ["@drover/source"] } },
  test: {
    include: ["scripts/**/*.spec.ts", "apps/*/src/**/*.spec.ts", "libs/*/src/**/*.spec.ts", "tests/**/*.spec.ts"],
    pool: "forks",
    execArgv: ["--conditions=@drover/source"],
    // The processes that tests start compile the same sources: from the second one on they find them compiled, which is half of a start.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, ".cache/compile") },
    // One more than the cores that CI has: specs of clusters wait for much of their time.
    maxWorkers: 3,
    reporters: [
      "default",
      new FailureReasons(),
      ...(reportFile === undefined ? [] : [["json", { outputFile: reportFile }] as ["json", { outputFile: string }]]),
    ],
    sequence: { sequencer: LongestFirst },
    // Of what has to come, only what never comes takes so long: a limit that a loaded machine could reach would say nothing.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    expect: { poll: { timeout: 300_000 } },
  },
});
