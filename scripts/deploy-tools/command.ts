import { execFile } from "node:child_process";

const OUTPUT_BYTES_MAX = 2 ** 26;
const TOLD_CHARACTERS = 2000;

export type CommandOptions = Readonly<{ cwd?: string; env?: Readonly<Record<string, string>> }>;

/** A command's standard output. Throws an Error with the end of what it said where it fails or is not there. */
export function command(name: string, args: readonly string[], { cwd, env }: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: OUTPUT_BYTES_MAX };
    execFile(name, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (error.code === "ENOENT") return reject(new Error(`${name} is not on the PATH.`));
      reject(new Error(`${name} ${args.join(" ")} failed:\n${(stdout + stderr).slice(-TOLD_CHARACTERS).trim()}`));
    });
  });
}
