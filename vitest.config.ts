import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@drover/source"] },
  ssr: { resolve: { conditions: ["@drover/source"], externalConditions: ["@drover/source"] } },
  test: {
    include: ["scripts/**/*.spec.ts", "apps/*/src/**/*.spec.ts", "libs/*/src/**/*.spec.ts", "tests/**/*.spec.ts"],
    pool: "forks",
    execArgv: ["--conditions=@drover/source"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
