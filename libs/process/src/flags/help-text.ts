import { HELP_COLUMNS } from "../limits.ts";
import { type ConfigSpec, environmentName, type Flag, flagName } from "./flag.ts";
import { sizeText } from "./value.ts";

const VALUE_NAMES = {
  string: "TEXT",
  integer: "N",
  number: "N",
  size: "SIZE",
  duration: "TIME",
  boolean: "",
  list: "A,B",
  choice: "",
} as const;

/** The text of `--help`: the usage, then each flag with its meaning, choices and default. */
export function helpText(spec: ConfigSpec, usage: string): string {
  const rows = Object.entries(spec).map(([key, flag]) => [signature(key, flag), describe(flag)] as const);
  const all = [
    ...rows,
    ["--config FILE", "A JSON file with these settings."] as const,
    ["--help", "Show this page."] as const,
    ["--version", "Show the version."] as const,
  ];
  const width = Math.max(...all.map(([left]) => left.length)) + 2;
  const lines = all.flatMap(([left, right]) =>
    wrap(right, HELP_COLUMNS - width - 2).map((part, index) => `  ${(index === 0 ? left : "").padEnd(width)}${part}`),
  );
  const [example] = Object.entries(spec);
  const environment =
    example === undefined
      ? ""
      : `\nEach flag can also be set in the environment: --${flagName(example[0])} is ${environmentName(...example)}. Flags win over the\nenvironment, and that over the file.\n`;
  const heading = usage.startsWith("Usage:") ? usage : `Usage: ${usage}`;
  return `${heading.trimEnd()}\n\nFlags:\n${lines.join("\n")}\n${environment}`;
}

function signature(key: string, flag: Flag): string {
  const value =
    flag.kind === "size" && flag.auto
      ? "SIZE|auto"
      : (flag.valueName ?? (flag.kind === "choice" ? flag.choices.join("|") : VALUE_NAMES[flag.kind]));
  return `--${flagName(key)}${value === "" ? "" : ` ${value}`}`;
}

function describe(flag: Flag): string {
  const help = `${flag.help.endsWith(".") ? flag.help : `${flag.help}.`}${leastOf(flag)}`;
  if ("required" in flag && flag.required) return `${help} Required.`;
  const fallback = Array.isArray(flag.default) ? flag.default.join(",") : flag.default;
  return fallback === undefined || fallback === false || fallback === "" ? help : `${help} Default: ${fallback}.`;
}

/** Of a size that may not be any. */
const leastOf = (flag: Flag): string =>
  flag.kind === "size" && flag.min !== undefined && flag.min > 1 ? ` At least ${sizeText(flag.min)}.` : "";

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
