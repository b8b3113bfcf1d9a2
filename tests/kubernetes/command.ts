import { command } from "../../scripts/command.ts";
import { COMMAND_MS_MAX } from "./limits.ts";

export type CommandOptions = Readonly<{
  signal: AbortSignal;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}>;

/** `command`, that ends after COMMAND_MS_MAX unless told otherwise. */
export function run(name: string, args: readonly string[], options: CommandOptions): Promise<string> {
  return command(name, args, { timeoutMs: COMMAND_MS_MAX, ...options });
}
