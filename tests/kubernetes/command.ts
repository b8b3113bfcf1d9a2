import { execFile } from "node:child_process";
import { COMMAND_MS_MAX } from "./limits.ts";

export type CommandOptions = Readonly<{
  signal: AbortSignal;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}>;

const OUTPUT_BYTES_MAX = 64 * 2 ** 20;
const TOLD_CHARACTERS = 2_000;

/** A command's standard output. Throws an Error that says what it wrote when it fails or takes too long. */
export function run(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { signal, env, timeoutMs = COMMAND_MS_MAX } = options;
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { signal, env, timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX },
      (error, output, errors) => {
        if (error === null) return resolve(output);
        const told = `${output}\n${errors}`.trim().slice(-TOLD_CHARACTERS);
        reject(
          new Error(`${[command.split("/").at(-1), ...args].join(" ").slice(0, 300)} failed: ${told}`, {
            cause: error,
          }),
        );
      },
    );
  });
}
