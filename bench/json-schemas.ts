// Schemas over all keywords of JSON Schema, each asked for as three answers of nano at temperature 1, while attention workers are killed: which are
// enforced, which are refused and by which place, and how many whole answers do not validate by Ajv. Envelope: some 220 schemas that are enforced, three
// answers of 160 tokens at most: 100,000 tokens, a few minutes on two cores. Ends with 1 where an answer does not validate, a refusal has no place in
// the schema, or anything else comes than an answer or a refusal.
// Usage: node scripts/run.mjs bench/json-schemas.ts [--at-once 6] [--tokens 160] [--kills 3] [--only TEXT]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

const { values } = parseArgs({
  options: {
    "at-once": { type: "string", default: "6" },
    tokens: { type: "string", default: "160" },
    kills: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});
const PLACE = "response_format.json_schema.schema";
const CHOICES = 3;
/** As often as OpenAI's clients ask again by default. */
const AGAIN_MAX = 2;

/** A line of the file: its schema is of draft 2020-12, unless a draft is named. */
type Case = Readonly<{ name: string; draft?: 7; schema: unknown }>;
type Answer = Readonly<{ choices: readonly { finish_reason: string; message: { content: string } }[] }>;
type Refusal = Readonly<{ error: { param: string | null; message: string } }>;

function validatorOf({ draft, schema }: Case) {
  const ajv = new (draft === 7 ? Ajv : Ajv2020)({ strict: false, logger: false, validateSchema: false });
  addFormats.default(ajv);
  return ajv.compile(schema as object | boolean);
}

const counts = { enforced: 0, refused: 0, whole: 0, cut: 0, kills: 0, askedAgain: 0 };
const faults: string[] = [];

function judge(asked: Case, { choices }: Answer): void {
  const { name } = asked;
  const validate = validatorOf(asked);
  counts.enforced++;
  if (choices.length !== CHOICES) faults.push(`${name}: ${choices.length} choices`);
  for (const { finish_reason, message } of choices) {
    if (finish_reason === "length") {
      counts.cut++;
      continue;
    }
    counts.whole++;
    const wrong = faultOf(message.content, validate);
    if (wrong !== undefined) faults.push(`${name}: ${message.content.slice(0, 300)}: ${wrong}`);
  }
}

function faultOf(text: string, validate: ReturnType<typeof validatorOf>): string | undefined {
  try {
    return validate(JSON.parse(text)) ? undefined : JSON.stringify(validate.errors);
  } catch (error) {
    return String(error);
  }
}

async function ask(cluster: TestCluster, asked: Case, seed: number): Promise<void> {
  const { name, schema } = asked;
  const body = {
    model: "nano",
    messages: [{ role: "user", content: "As JSON: Amir is 72 years old and lives in Rome." }],
    n: CHOICES,
    temperature: 1,
    seed,
    max_tokens: Number(values.tokens),
    response_format: { type: "json_schema", json_schema: { name: "case", strict: true, schema } },
  };
  let response = await cluster.post("/v1/chat/completions", body);
  // The killed one was the only holder of half of the experts: who waits longer than the router lets it is told when to come back, and clients do so.
  for (let again = 0; again < AGAIN_MAX && response.status === 503; again++) {
    counts.askedAgain++;
    await sleep(Number(response.headers.get("retry-after")) * 1000);
    response = await cluster.post("/v1/chat/completions", body);
  }
  if (response.ok) return judge(asked, (await response.json()) as Answer);
  const { error } = (await response.json()) as Refusal;
  if (response.status === 400 && error.param?.startsWith(PLACE)) {
    counts.refused++;
    console.log(`refused  ${name}: ${error.param.slice(PLACE.length) || "the whole"} ${error.message.slice(0, 120)}`);
  } else faults.push(`${name}: ${response.status} ${error.param} ${error.message}`);
}

await using cluster = await TestCluster.start({ expertWorkers: 0, attentionWorkers: 2 });
const cases = readFileSync(join(import.meta.dirname, "json-schemas.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Case)
  .filter(({ name }) => name.includes(values.only));
const killEvery = Math.ceil(cases.length / (Number(values.kills) + 1));
let next = 0;
const client = async () => {
  for (let at = next++; at < cases.length; at = next++) {
    const one = cases[at];
    if (one === undefined) return;
    const asked = ask(cluster, one, at);
    if (at > 0 && at % killEvery === 0) {
      // Not both: the other one takes over what was begun.
      const [pid] = cluster.pids("--roles=attention");
      if (pid !== undefined) process.kill(pid, "SIGKILL");
      counts.kills++;
    }
    await asked;
  }
};
await Promise.all(Array.from({ length: Number(values["at-once"]) }, client));
for (const fault of faults) console.log(`FAULT    ${fault}`);
console.log(
  `${cases.length} schemas: ${counts.enforced} enforced, ${counts.refused} refused; ${counts.whole} whole answers and ${counts.cut} cut by max_tokens, ${counts.kills} workers killed, ${counts.askedAgain} times asked again after 503; ${faults.length} faults`,
);
if (faults.length > 0) process.exitCode = 1;
