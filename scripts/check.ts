import { repository } from "./gates/gate.ts";
import { runGates } from "./gates/run-gates.ts";

/** npm run check: all gates, no tests. */
const { failedCount } = await runGates(repository);
process.exitCode = failedCount === 0 ? 0 : 1;
