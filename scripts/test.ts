import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "./bundle/bundle.ts";
import { repository } from "./gates/gate.ts";
import { GATES } from "./gates/index.ts";
import { runGates } from "./gates/run-gates.ts";
import { affectedFolders } from "./nx.ts";

/**
 * npm test: all gates, then all tests. `npm test -- libs/kv` runs only the tests whose path contains that; `npm test -- --affected` runs the
 * gates and the tests of the libraries and apps that have changed since `main`, and of those that depend on them. The last line is
 * `N passed, N failed`, a gate counting as one test.
 */
const args = process.argv.slice(2);
// A file or a pipe is read as it is, also where a tool would take CI for a terminal.
if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) process.env.NO_COLOR = "1";
const isAffected = args.includes("--affected");
const NONE = { passedCount: 0, failedCount: 0 };
const gates = args.length === 0 || isAffected ? await runGates(GATES) : NONE;
// An affected project may have no spec of its own.
const filters = isAffected ? ["--passWithNoTests", ...(await affectedFolders())] : args;
const tests = isAffected && filters.length === 1 ? NONE : await runVitest(filters);
const failedCount = gates.failedCount + tests.failedCount;
process.stdout.write(`${gates.passedCount + tests.passedCount} passed, ${failedCount} failed\n`);
process.exitCode = failedCount === 0 ? 0 : 1;

type Report = Readonly<{
  numPassedTests: number;
  numFailedTests: number;
  testResults: readonly Readonly<{ status: string; assertionResults: readonly unknown[] }>[];
}>;

async function runVitest(patterns: readonly string[]): Promise<{ passedCount: number; failedCount: number }> {
  const folder = mkdtempSync(join(tmpdir(), "drover-test-"));
  const reportFile = join(folder, "report.json");
  try {
    // What tests start starts as it does for a user, and takes less of the machine.
    await bundle(repository);
    const exitCode = await run("vitest", ["run", ...patterns], { DROVER_TEST_REPORT: reportFile });
    if (!existsSync(reportFile)) return { passedCount: 0, failedCount: 1 };
    const report: Report = JSON.parse(readFileSync(reportFile, "utf8"));
    // A file that could not even be loaded has no test in it to fail.
    const brokenFileCount = report.testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.length === 0,
    ).length;
    const failedCount = report.numFailedTests + brokenFileCount;
    // Errors outside of any test, and a pattern that matches none, are in the exit status alone.
    return { passedCount: report.numPassedTests, failedCount: exitCode !== 0 && failedCount === 0 ? 1 : failedCount };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repository, stdio: "inherit", env: { ...process.env, ...env } });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => child.kill(signal));
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
