import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { runNx } from "../nx.ts";
import type { Gate } from "./gate.ts";
import { clearReports, readReport } from "./gate-report.ts";

/**
 * Has nx run the gates, as many at a time as there are cores, but for those of whose inputs nothing has changed since they passed; then
 * prints a line for each in the order given, with what it found and what to do about it where it failed.
 */
export async function runGates(gates: readonly Gate[]): Promise<{ passedCount: number; failedCount: number }> {
  const run = randomUUID();
  clearReports();
  const targets = `--targets=${gates.map((gate) => gate.name)}`;
  const parallel = `--parallel=${availableParallelism()}`;
  const { output } = await runNx(["run-many", targets, parallel, "--output-style=static"], { DROVER_GATES_RUN: run });
  const failed = gates.filter((gate) => !printReport(gate, run));
  if (gates.some((gate) => readReport(gate.name) === undefined)) process.stdout.write(indented(output));
  return { passedCount: gates.length - failed.length, failedCount: failed.length };
}

/** Prints a gate's verdict, and tells whether it passed. */
function printReport({ name, remedy }: Gate, run: string): boolean {
  const report = readReport(name);
  if (report === undefined) {
    process.stdout.write(`FAILED  ${name} (nx did not get to its end; what it said is below)\n`);
    return false;
  }
  const time = report.run === run ? `${report.seconds.toFixed(1)} s` : "nothing that it reads has changed";
  process.stdout.write(`${report.ok ? "passed" : "FAILED"}  ${name} (${time})\n`);
  if (!report.ok) process.stdout.write(indented(`${report.output.trimEnd()}\n${remedy}`));
  return report.ok;
}

const indented = (text: string): string => `${text.trimEnd().replaceAll(/^/gm, "        ")}\n`;
