import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { repository } from "./gates/gate.ts";
import { type CostLine, costTable } from "./test-costs/cost-table.ts";

/**
 * npm run test-costs: all tests, and then where their time went, in seconds of a core, which do not depend on what else the machine does as those
 * of a clock do; `npm run test-costs -- tests/e2e` only of tests below this path. Linux alone counts it so.
 */
const SHOWN = 40;
const folder = mkdtempSync(join(tmpdir(), "drover-costs-"));
try {
  const file = join(folder, "costs.jsonl");
  const env = { ...process.env, DROVER_TEST_COSTS: file };
  const { status } = spawnSync("vitest", ["run", ...process.argv.slice(2)], { cwd: repository, stdio: "inherit", env });
  const text = existsSync(file) ? readFileSync(file, "utf8").trimEnd() : "";
  const lines = text === "" ? [] : text.split("\n").map((line): CostLine => JSON.parse(line));
  process.stdout.write(
    `${costTable(
      lines.map((line) => ({ ...line, spec: relative(repository, line.spec) })),
      SHOWN,
    )}\n`,
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
