import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GateResult, repository } from "./gate.ts";

/** What a gate's run leaves behind: nx keeps it as the target's output and puts it back where the gate need not run again. */
export type GateReport = GateResult & Readonly<{ seconds: number; run: string }>;

const FOLDER = join(repository, ".cache", "gates");
const fileOf = (gate: string) => join(FOLDER, `${gate}.json`);

/** Removes the reports of earlier runs, so that whatever is there after a run is of that run. */
export function clearReports(): void {
  rmSync(FOLDER, { recursive: true, force: true });
}

/** Writes a gate's report to the file that `project.json` names as its target's output. */
export function writeReport(gate: string, report: GateReport): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(fileOf(gate), `${JSON.stringify(report)}\n`);
}

/** A gate's report; undefined when it was not run. */
export function readReport(gate: string): GateReport | undefined {
  return existsSync(fileOf(gate)) ? JSON.parse(readFileSync(fileOf(gate), "utf8")) : undefined;
}
