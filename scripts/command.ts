import { execFile } from "node:child_process";

const OUTPUT_BYTES_MAX = 2 ** 26;
const TOLD_CHARACTERS = 2000;
const COMMAND_CHARACTERS = 300;

export type CommandOptions = Readonly<{
  cwd?: string;
  /** The whole environment; this process's when absent. */
  env?: NodeJS.ProcessEnv | undefined;
  signal?: AbortSignal;
  timeoutMs?: number;
}>;

/** A command's standard output. Throws an Error with the end of what it said where it fails, takes too long, or is not there. */
export function command(
  name: string,
  args: readonly string[],
  { cwd, env, signal, timeoutMs }: CommandOptions = {},
): Promise<string> {
  const options = { cwd, env, signal, timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve, reject) => {
    execFile(name, args, options, (cause, output, errors) => {
      if (cause === null) return resolve(output);
      if (cause.code === "ENOENT") return reject(new Error(`${name} is not on the PATH.`, { cause }));
      const told = `${output}\n${errors}`.trim().slice(-TOLD_CHARACTERS);
      const asked = [name.split("/").at(-1), ...args].join(" ").slice(0, COMMAND_CHARACTERS);
      reject(new Error(`${asked} failed:\n${told}`, { cause }));
    });
  });
}
