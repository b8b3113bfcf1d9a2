import { DroverError } from "@drover/core";
import { VERSION } from "../version.ts";
import type { Config, ConfigSpec } from "./flag.ts";
import { helpText } from "./help-text.ts";
import { type ConfigSources, parseConfig } from "./parse-config.ts";

/** The exit status for arguments that make no sense, as shells use it. */
export const USAGE_EXIT_STATUS = 2;

export type CommandOptions = ConfigSources &
  Readonly<{
    command: string;
    usage: string;
    /** What stands below the flags of `--help`, by the values that are given there, or have a default; where one of them is wrong, that is said in its place. */
    follows?: (values: Readonly<Record<string, unknown>>) => string;
  }>;

/**
 * For a process's main: parses, or answers `--help` or `--version` on standard output and exits with 0, or says all problems on standard error
 * and exits with 2; a page of `--help` that tells of the values given with it says their problems so, too.
 */
export function commandConfig<S extends ConfigSpec>(spec: S, options: CommandOptions): Config<S> {
  const { argv, command, usage, follows } = options;
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(helpText(spec, usage));
    if (follows !== undefined) {
      const values = orExit(() => helpValues(spec, options), command);
      process.stdout.write(`\n${follows(values)}\n`);
    }
    process.exit(0);
  }
  if (argv.includes("--version")) {
    process.stdout.write(`drover ${VERSION}\n`);
    process.exit(0);
  }
  return orExit(() => parseConfig(spec, options), command);
}

function orExit<T>(parse: () => T, command: string): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    process.stderr.write(`${error.message}\nSee ${command} --help.\n`);
    process.exit(USAGE_EXIT_STATUS);
  }
}

/** The values of flags beside `--help`, where what must be given may be missing. Errors: those of `parseConfig`: nothing is told of values that nobody has given. */
export function helpValues(spec: ConfigSpec, { argv, ...sources }: ConfigSources): Readonly<Record<string, unknown>> {
  const optional = Object.fromEntries(
    Object.entries(spec).map(([key, flag]) => [key, { ...flag, required: undefined } as unknown as ConfigSpec[string]]),
  );
  return parseConfig(optional, { ...sources, argv: argv.filter((word) => word !== "--help" && word !== "-h") });
}
