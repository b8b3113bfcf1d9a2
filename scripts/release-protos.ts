import { repository, runTool } from "./gates/gate.ts";
import { RELEASED_PROTOS } from "./gates/proto-breaking.ts";

/** npm run release-protos: makes proto/ as it is now what later changes are held against. Part of a release, and of nothing else. */
const { ok, output } = await runTool("buf", ["build", "--exclude-source-info", "-o", RELEASED_PROTOS], repository);
process.stderr.write(output);
process.exitCode = ok ? 0 : 1;
