import { join } from "node:path";
import { parseArgs } from "node:util";
import { knownAnswers } from "../tests/e2e/known-stream.ts";
import { RollingFleet } from "../tests/rolling/rolling-fleet.ts";
import { rollingRestart } from "../tests/rolling/rolling-restart.ts";

/**
 * Restarts every worker and every router of a cluster, one after the other, under greedy streams whose right texts are known:
 * `rolling-restart.ts --streams 32`. Attention workers get
 * `--attention-grace` milliseconds to finish, then hand back what they have; expert workers as long until others have their experts.
 */
const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "32" },
    "attention-workers": { type: "string", default: "2" },
    "expert-workers": { type: "string", default: "4" },
    routers: { type: "string", default: "2" },
    "drain-delay": { type: "string", default: "1000" },
    "attention-grace": { type: "string", default: "1000" },
    "experts-grace": { type: "string", default: "60000" },
    "router-grace": { type: "string", default: "60000" },
  },
});
await using fleet = await RollingFleet.start({
  model: join(import.meta.dirname, "../models/nano"),
  attentionWorkers: Number(values["attention-workers"]),
  expertWorkers: Number(values["expert-workers"]),
  routers: Number(values.routers),
  drainDelayMs: Number(values["drain-delay"]),
  graceMs: {
    router: Number(values["router-grace"]),
    attention: Number(values["attention-grace"]),
    experts: Number(values["experts-grace"]),
  },
});
const answers = await knownAnswers(fleet.post);
const { tally, restarts, handedBack, finished, cut, seconds } = await rollingRestart(
  fleet,
  answers,
  Number(values.streams),
  (name) => console.error(`restarted ${name}`),
);
const errors = [...tally.errors].map(([end, count]) => `${count} x ${end}`).join(", ") || "none";
console.log(`| streams | restarts | seconds | right | wrong | errors | handed back | finished by ending routers | outlived them |
|---|---|---|---|---|---|---|---|---|
| ${values.streams} | ${restarts} | ${seconds.toFixed(0)} | ${tally.right} | ${tally.violations.length} | ${errors} | ${handedBack} | ${finished} | ${cut} |`);
for (const violation of tally.violations) console.log(violation);
process.exitCode = tally.violations.length + tally.errors.size === 0 ? 0 : 1;
