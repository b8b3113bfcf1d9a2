import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { FailureReasons } from "./scripts/failure-reasons.ts";
import { findProjects } from "./scripts/gates/projects.ts";

/** The file that takes minutes first, whole clusters next: what is short fills the gaps at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      moduleId.includes("/tests/goldens/") ? 0 : moduleId.includes("/tests/") ? 1 : 2;
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** Libraries without effects: nothing of one spec is there for the next one, so that they may share a process and what it has loaded. */
const PURE = findProjects(import.meta.dirname)
  .filter(({ pure }) => pure)
  .map(({ folder }) => `${folder}/src/**/*.spec.ts`);

/** Where npm test wants the counts. */
const reportFile = process.env.DROVER_TEST_REPORT;

export default defineConfig({
  resolve: { conditions: ["@drover/source"] },
  ssr: { resolve: { conditions: ["@drover/source"], externalConditions: ["@drover/source"] } },
  test: {
    projects: [
      { extends: true, test: { name: "pure", include: PURE, isolate: false } },
      {
        extends: true,
        test: {
          name: "isolated",
          include: ["scripts/**/*.spec.ts", "apps/*/src/**/*.spec.ts", "libs/*/src/**/*.spec.ts", "tests/**/*.spec.ts"],
          exclude: ["**/node_modules/**", ...PURE],
        },
      },
    ],
    pool: "forks",
    // Where `npm run test-costs` asks what each spec costs.
    setupFiles: process.env.DROVER_TEST_COSTS === undefined ? [] : ["scripts/test-costs/record-costs.ts"],
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
