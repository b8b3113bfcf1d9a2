import { readFileSync } from "node:fs";
import { DroverError } from "@drover/core";
import { CONFIG_FILE_BYTES_MAX } from "../limits.ts";
import { type Config, type ConfigSpec, environmentName, type Flag, flagName } from "./flag.ts";
import { likest } from "./likest.ts";
import { parseValue } from "./value.ts";

export type ConfigSources = Readonly<{
  /** The arguments behind the command's name. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}>;

/** One value as somebody gave it; `origin` names the place in messages. */
type Given = Readonly<{ raw: unknown; origin: string }>;

/**
 * Makes one frozen object out of flags, environment (`DROVER_HTTP_PORT`), the JSON file that `--config` names, and defaults: the
 * first that says something wins. Errors: one `invalid_argument` whose message has a line for each problem found.
 */
export function parseConfig<S extends ConfigSpec>(spec: S, sources: ConfigSources): Config<S> {
  const problems: string[] = [];
  const flags = readFlags(spec, sources.argv, problems);
  const path = flags.get("config")?.raw ?? sources.env.DROVER_CONFIG;
  const file = typeof path === "string" && path !== "" ? readFile(spec, path, problems) : new Map<string, Given>();
  const config: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(spec)) {
    const given = flags.get(key) ?? fromEnvironment(key, flag, sources.env) ?? file.get(key) ?? fromDefault(flag);
    if (given === undefined) {
      if ("required" in flag && flag.required) {
        problems.push(`--${flagName(key)} is required (or ${environmentName(key, flag)} in the environment).`);
      }
      config[key] = undefined;
      continue;
    }
    const parsed = parseValue(flag, given.raw);
    if ("problem" in parsed) problems.push(`${given.origin} ${parsed.problem}.`);
    else config[key] = parsed.value;
  }
  if (problems.length > 0) throw new DroverError("invalid_argument", problems.join("\n"));
  return Object.freeze(config) as Config<S>;
}

function fromEnvironment(key: string, flag: Flag, env: ConfigSources["env"]): Given | undefined {
  const origin = environmentName(key, flag);
  const raw = env[origin];
  return raw === undefined || raw === "" ? undefined : { raw, origin };
}

function fromDefault(flag: Flag): Given | undefined {
  if (flag.default !== undefined) return { raw: flag.default, origin: "The default" };
  if (flag.kind === "boolean") return { raw: false, origin: "The default" };
  return flag.kind === "list" && !flag.required ? { raw: [], origin: "The default" } : undefined;
}

function readFlags(spec: ConfigSpec, argv: readonly string[], problems: string[]): Map<string, Given> {
  const keys = new Map(Object.keys(spec).map((key) => [flagName(key), key]));
  const found = new Map<string, Given>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    if (!argument.startsWith("--") || argument === "--") {
      problems.push(`${JSON.stringify(argument)} is not a flag.`);
      continue;
    }
    const [name = "", inline] = splitOnce(argument.slice(2), "=");
    const key = name === "config" ? "config" : keys.get(name);
    const negated = key === undefined && name.startsWith("no-") ? keys.get(name.slice(3)) : undefined;
    if (negated !== undefined && spec[negated]?.kind === "boolean" && inline === undefined) {
      found.set(negated, { raw: false, origin: `--${name}` });
      continue;
    }
    if (key === undefined) {
      const meant = likest(name, [...keys.keys(), "config", "help"]);
      problems.push(`--${name} is not a known flag${meant === undefined ? "." : `; did you mean --${meant}?`}`);
      // Its value, if it has one, is no problem of its own.
      if (inline === undefined && hasValue(argv[index + 1])) index++;
      continue;
    }
    const origin = `--${name}`;
    if (inline !== undefined) add(found, spec[key], key, { raw: inline, origin });
    else if (spec[key]?.kind === "boolean") found.set(key, { raw: true, origin });
    else if (hasValue(argv[index + 1])) add(found, spec[key], key, { raw: argv[++index], origin });
    else problems.push(`${origin} needs a value.`);
  }
  return found;
}

/** A repeated list grows; of any other flag the last one counts. */
function add(found: Map<string, Given>, flag: Flag | undefined, key: string, given: Given): void {
  const before = flag?.kind === "list" ? found.get(key) : undefined;
  found.set(key, before === undefined ? given : { ...given, raw: [before.raw, given.raw].flat() });
}

const hasValue = (next: string | undefined): boolean => next !== undefined && !next.startsWith("--");

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function readFile(spec: ConfigSpec, path: string, problems: string[]): Map<string, Given> {
  const found = new Map<string, Given>();
  const keys = new Map(Object.keys(spec).flatMap((key) => [[key, key] as const, [flagName(key), key] as const]));
  let content: unknown;
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > CONFIG_FILE_BYTES_MAX) throw new Error("it is too large");
    content = JSON.parse(text);
  } catch (error) {
    problems.push(`The file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
    return found;
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    problems.push(`The file ${path} must hold one JSON object.`);
    return found;
  }
  for (const [name, raw] of Object.entries(content)) {
    const key = keys.get(name);
    if (key === undefined) problems.push(`${JSON.stringify(name)} in ${path} is not a known setting.`);
    else if (raw !== null) found.set(key, { raw, origin: `${JSON.stringify(name)} in ${path}` });
  }
  return found;
}
