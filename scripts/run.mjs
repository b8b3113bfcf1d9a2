// node scripts/run.mjs FILE.ts ARGS: sets up when needed, then runs a TypeScript file under Drover's own Node with these arguments,
// this terminal, these signals, and ends as it ended.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { resolve } from "node:path";
import { ensureSetup, failureText, nodeBinary, root, toolEnvironment } from "./setup.mjs";

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("Usage: node scripts/run.mjs FILE.ts [ARGS]\n");
  process.exit(2);
}

try {
  await ensureSetup();
} catch (error) {
  process.stderr.write(`drover: ${failureText(error)}\n`);
  process.exit(error.status ?? 1);
}

const child = spawn(nodeBinary, ["--conditions=@drover/source", resolve(root, file), ...args], {
  stdio: "inherit",
  env: toolEnvironment(),
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`drover: ${nodeBinary} cannot be run: ${error.message}\n`);
  process.exitCode = 1;
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
