import { repository, runTool } from "./gates/gate.ts";

/** npm run generate: writes libs/proto/src/gen from proto/. */
const { ok, output } = await runTool("buf", ["generate"], repository);
process.stderr.write(output);
process.exitCode = ok ? 0 : 1;
