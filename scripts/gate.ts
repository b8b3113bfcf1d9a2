import { type GateResult, repository } from "./gates/gate.ts";
import { writeReport } from "./gates/gate-report.ts";
import { GATES } from "./gates/index.ts";

/** node scripts/gate.ts NAME: runs one gate and leaves its report; `npm run check` has nx run these, side by side and only where needed. */
const name = process.argv[2];
const gate = GATES.find((one) => one.name === name);
if (name === undefined || gate === undefined) throw new Error(`There is no gate named ${name}.`);
const begin = performance.now();
const { ok, output } = await gate.check(repository).catch(failure);
writeReport(name, { ok, output, seconds: (performance.now() - begin) / 1000, run: process.env.DROVER_GATES_RUN ?? "" });
process.exitCode = ok ? 0 : 1;

function failure(error: unknown): GateResult {
  return { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
