import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";

/** The repository that these gates belong to; its packages hold the tools, whatever folder is checked. */
export const repository = dirname(dirname(import.meta.dirname));
const toolPath = [join(repository, "node_modules", ".bin"), process.env.PATH].join(delimiter);

/** A gate's verdict on a folder, and what it found there. */
export type GateResult = Readonly<{ ok: boolean; output: string }>;

/**
 * A check of the whole repository. Its name is its nx target's in `project.json`, whose inputs name every file that it reads; its remedy
 * says what to do about what it finds. `root` is another folder only where a violation is planted to see that the gate can fail.
 */
export type Gate = Readonly<{ name: string; remedy: string; check(root: string): Promise<GateResult> }>;

/** Runs one tool in `root` and takes its exit status for the verdict; `env` comes on top of this process's environment. */
export function runTool(
  command: string,
  args: readonly string[],
  root: string,
  env: Readonly<Record<string, string>> = {},
): Promise<GateResult> {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env, PATH: toolPath },
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
