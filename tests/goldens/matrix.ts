import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { runGoldens } from "./run-goldens.ts";
import { allSettings, pairwiseSettings } from "./settings.ts";

/**
 * The whole matrix of settings, one cluster each; with `pairs` the few in which every pair of settings occurs. Other arguments filter:
 * `checkpoint=scout expertWorkers=8`.
 */
const args = process.argv.slice(2);
const wanted = args.filter((argument) => argument !== "pairs").map((argument) => argument.split("=", 2));
const rows = (args.includes("pairs") ? pairwiseSettings() : allSettings()).filter((row) =>
  wanted.every(([name = "", value]) => String(row[name as keyof typeof row]) === value),
);
const binary = redisBinary();
if (binary === undefined) throw new Error("the matrix needs redis-server or valkey-server");
await using redis = new TestRedis(binary, await freePort());
await redis.start();
let failed = 0;
for (const [i, row] of rows.entries()) {
  const result = await runGoldens(row, redis.url).catch((error: Error) => {
    failed += 1;
    return `FAILED ${error.message}`;
  });
  console.log(
    `${i + 1}/${rows.length} ${Object.entries(row)
      .map(([k, v]) => `${k}=${v}`)
      .join(" ")}: ${result}`,
  );
}
console.log(`${rows.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
