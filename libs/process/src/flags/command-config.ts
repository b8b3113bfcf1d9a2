import { DroverError } from "@drover/core";
import { VERSION } from "../version.ts";
import type { Config, ConfigSpec } from "./flag.ts";
import { helpText } from "./help-text.ts";
import { type ConfigSources, parseConfig } from "./parse-config.ts";

/** The exit status for arguments that make no sense, as shells use it. */
export const USAGE_EXIT_STATUS = 2;

/**
 * For a process's main: parses, or answers `--help` or `--version` on standard output and exits with 0, or says all problems on standard error
 * and exits with 2.
 */
export function commandConfig<S extends ConfigSpec>(
  spec: S,
  options: ConfigSources & Readonly<{ command: string; usage: string }>,
): Config<S> {
  if (options.argv.includes("--help") || options.argv.includes("-h")) {
    process.stdout.write(helpText(spec, options.usage));
    process.exit(0);
  }
  if (options.argv.includes("--version")) {
    process.stdout.write(`drover ${VERSION}\n`);
    process.exit(0);
  }
  try {
    return parseConfig(spec, options);
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    process.stderr.write(`${error.message}\nSee ${options.command} --help.\n`);
    process.exit(USAGE_EXIT_STATUS);
  }
}
