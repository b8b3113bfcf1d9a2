import { DroverError } from "@drover/core";

/**
 * Takes the one argument that is no flag and no flag's value, wherever it stands; only flags named in `booleans` have no value.
 * Undefined where there is none. Errors: `invalid_argument` where there are more.
 */
export function takeOperand(
  argv: readonly string[],
  booleans: readonly string[] = [],
): { operand: string | undefined; flags: string[] } {
  const operands: string[] = [];
  const flags: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (!argument.startsWith("-")) {
      operands.push(argument);
      continue;
    }
    flags.push(argument);
    const value = argv[i + 1];
    if (argument.includes("=") || ["--help", "-h", ...booleans].includes(argument) || value === undefined) continue;
    flags.push(value);
    i += 1;
  }
  if (operands.length > 1) {
    throw new DroverError("invalid_argument", `one folder is expected, and not ${operands.join(" and ")}.`);
  }
  return { operand: operands[0], flags };
}
