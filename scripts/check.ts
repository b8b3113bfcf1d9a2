import { GATES } from "./gates/index.ts";
import { runGates } from "./gates/run-gates.ts";

/** npm run check: all gates, no tests; `npm run check -- types lint` only these. A gate that nothing has changed for is not run again. */
const names = process.argv.slice(2);
const unknown = names.filter((name) => !GATES.some((gate) => gate.name === name));
if (unknown.length > 0) {
  process.stderr.write(`There is no gate named ${unknown}; there are ${GATES.map((gate) => gate.name).join(", ")}.\n`);
  process.exitCode = 2;
} else {
  const { failedCount } = await runGates(GATES.filter((gate) => names.length === 0 || names.includes(gate.name)));
  process.exitCode = failedCount === 0 ? 0 : 1;
}
