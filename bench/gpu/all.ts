import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** All that needs a card, one after the other: kernels and the model (gpu-tests.ts), and then clusters over HTTP (http-goldens.ts). */
const { values } = parseArgs({
  options: {
    goldens: { type: "string", default: "../shared/goldens" },
    checkpoints: { type: "string", default: "../shared" },
    cache: { type: "string" },
  },
});
const folders = ["--goldens", values.goldens, "--checkpoints", values.checkpoints];
const kept = values.cache === undefined ? [] : ["--cache", values.cache];

async function run(name: string, args: readonly string[]): Promise<void> {
  const file = join(import.meta.dirname, name);
  const child = spawn(process.execPath, [...process.execArgv, file, ...args], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  if (code !== 0) process.exitCode = 1;
}

await run("gpu-tests.ts", [...folders, ...kept]);
await run("http-goldens.ts", folders);
