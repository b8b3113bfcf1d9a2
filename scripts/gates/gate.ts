import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";

/** The repository that these gates belong to; its packages hold the tools, whatever folder is checked. */
export const repository = dirname(dirname(import.meta.dirname));
const toolPath = [join(repository, "node_modules", ".bin"), process.env.PATH].join(delimiter);

export type GateResult = Readonly<{ ok: boolean; output: string }>;

/** A check of the whole repository; `root` is another folder only where a violation is planted to see that the gate can fail. */
export type Gate = Readonly<{ name: string; check(root: string): Promise<GateResult> }>;

/** Runs one tool in `root` and takes its exit status for the verdict. */
export function runTool(command: string, args: readonly string[], root: string): Promise<GateResult> {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: toolPath },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", (error) => resolve({ ok: false, output: `${command} cannot be run: ${error.message}` }));
    child.on("close", (code) => resolve({ ok: code === 0, output }));
  });
}
