import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { levelsText, readLevels } from "./chaos/levels.ts";
import { type MixedRequest, mixedRequests } from "./chaos/mixed-requests.ts";
import { MixedTally, readMixed } from "./chaos/mixed-stream.ts";
import { STRIKES, type Strike, strikeAll } from "./chaos/strike.ts";

/**
 * Strikes parts of a cluster under streams of every kind (tools, a grammar, four drawn choices with penalties, a picture, a long prompt, text), each of which has one
 * right answer, learned before: `chaos-mixed.ts --victims attention-0 --strike kill|stop|slow --ms 5000 --strikes 4`. Several victims are struck at once. Says what came of the requests, and
 * whether memory, handles, sockets and KV are back ten seconds after the last stream has ended.
 */
const { values } = parseArgs({
  options: {
    victims: { type: "string", default: "attention-0" },
    strike: { type: "string", default: "kill" },
    ms: { type: "string", default: "5000" },
    strikes: { type: "string", default: "4" },
    streams: { type: "string", default: "6" },
    "expert-workers": { type: "string", default: "3" },
    "attention-workers": { type: "string", default: "2" },
    flags: { type: "string", default: "" },
  },
});
const strike = STRIKES.find((one): one is Strike => one === values.strike);
if (strike === undefined) throw new Error(`--strike must be one of ${STRIKES.join(", ")}`);
const victims = values.victims.split(",").map((name) => `--worker-id=${name}`);
/** After the last stream, before the levels are read again. */
const REST_MS = 10_000;

await using cluster = await TestCluster.start({
  expertWorkers: Number(values["expert-workers"]),
  attentionWorkers: Number(values["attention-workers"]),
  flags: values.flags.split(" ").filter(Boolean),
});
const post = cluster.post.bind(cluster);
const requests = mixedRequests();
const known = new Map<MixedRequest, readonly string[]>();
for (const request of requests) {
  const { end, texts } = await readMixed(post, request);
  if (end !== "done") throw new Error(`${request.kind} ends with ${end} without any fault`);
  known.set(request, texts);
}
const tally = new MixedTally();
let isOver = false;
let turn = 0;

async function client(): Promise<void> {
  while (!isOver) {
    const request = requests[turn++ % requests.length];
    const right = request && known.get(request);
    if (request === undefined || right === undefined) throw new Error("every request is known");
    const outcome = await readMixed(post, request);
    tally.note(request, right, outcome);
    if (outcome.end !== "done") await sleep(100);
  }
}

await sleep(2000);
const before = await readLevels(cluster);
const clients = Array.from({ length: Number(values.streams) }, client);
await sleep(3000);
for (let count = 0; count < Number(values.strikes); count++) {
  const began = performance.now();
  await strikeAll(cluster, victims, strike, Number(values.ms));
  console.error(`strike ${count + 1}: back after ${Math.round(performance.now() - began)} ms`);
  await sleep(4000 + ((count * 137) % 300));
}
isOver = true;
await Promise.all(clients);
await sleep(REST_MS);
const after = await readLevels(cluster);

const sorted = tally.pausesMs.toSorted((a, b) => a - b);
const pause = (part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
const errors = [...tally.errors].map(([end, count]) => `${count} x ${end}`).join(", ") || "none";
const { requests: count, right, wrong, lost, hanging } = tally;
const what = `${values.victims} ${strike}${strike === "kill" ? "" : ` ${values.ms} ms`} x ${values.strikes}`;
console.log("| strikes | requests | right | wrong | lost | hanging | errors | pause p50 ms | p99 | most |");
console.log("|---|---|---|---|---|---|---|---|---|---|");
console.log(
  `| ${what} | ${count} | ${right} | ${wrong.length} | ${lost} | ${hanging} | ${errors} | ${pause(0.5)} | ${pause(0.99)} | ${pause(1)} |`,
);
console.log(levelsText(before, after));
for (const one of wrong) console.log(one);
process.exitCode = wrong.length + lost + hanging === 0 ? 0 : 1;
