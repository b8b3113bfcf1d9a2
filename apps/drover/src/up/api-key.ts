import { readFileSync } from "node:fs";
import { DroverError, readFault } from "@drover/core";

/** The first key of a file with one key a line, where # begins a comment. Errors: `invalid_argument` when it cannot be read or has none. */
export function readApiKey(file: string): string {
  const lines = readLines(file).map((line) => line.trim());
  const key = lines.find((line) => line !== "" && !line.startsWith("#"));
  if (key === undefined) throw new DroverError("invalid_argument", `--api-key-file: ${file} has no key in it.`);
  return key;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch (cause) {
    throw new DroverError("invalid_argument", `--api-key-file: ${file} cannot be read: ${readFault(cause)}.`, {
      cause,
    });
  }
}
