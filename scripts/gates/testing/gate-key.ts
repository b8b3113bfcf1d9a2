import { readFileSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { repository } from "../gate.ts";

type Input = string | Readonly<{ runtime: string }>;
type Targets = Readonly<{ targets: Readonly<Record<string, Readonly<{ cache: boolean; inputs: readonly Input[] }>>> }>;

const { targets }: Targets = JSON.parse(readFileSync(join(repository, "project.json"), "utf8"));
const { namedInputs }: { namedInputs: Readonly<Record<string, readonly Input[]>> } = JSON.parse(
  readFileSync(join(repository, "nx.json"), "utf8"),
);

/** The names of all targets that nx knows and keeps the results of. */
export const cachedTargets = (): string[] => Object.keys(targets).filter((name) => targets[name]?.cache === true);

/** Would a change of this file, named relative to the repository, have nx run the target again? */
export function isInKey(target: string, file: string): boolean {
  return (targets[target]?.inputs ?? []).flatMap(globsOf).some((glob) => matchesGlob(file, glob));
}

function globsOf(input: Input): string[] {
  if (typeof input !== "string") return [];
  return namedInputs[input]?.flatMap(globsOf) ?? [input.replace("{workspaceRoot}/", "")];
}
