import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Ajv } from "ajv";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * Every task of nano's that is answered by a call, with the choice left to the model, with `required` and with the right function's name, whole and streamed,
 * greedy; and with the two latter three answers at temperature 1. What is counted: answers that are the call that is expected; and of all calls those whose
 * arguments are no JSON object or do not match their function's schema. Ends with 1 where there is one of these, a choice that asks for a call gets none, the
 * model's own choice is wrong, or a stream has another call than the whole answer.
 * Envelope: 40 tasks, 8 requests each of at most 64 tokens, 20,000 tokens: a minute or two on two cores.
 * Usage: node scripts/run.mjs bench/tool-choices.ts [--tasks ../shared/goldens/nano/tasks.jsonl] [--at-once 8]
 */
const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: join(import.meta.dirname, "../../shared/goldens/nano/tasks.jsonl") },
    "at-once": { type: "string", default: "8" },
  },
});

type Call = Readonly<{ name: string; arguments: unknown }>;
type Tool = Readonly<{ type: "function"; function: Readonly<{ name: string; parameters: object }> }>;
type Task = Readonly<{
  name: string;
  request: Readonly<{ tools: readonly Tool[] }> & Readonly<Record<string, unknown>>;
  /** Of other tasks a text. */
  expected: Readonly<{ tool_calls?: readonly Call[] }>;
}>;
type Written = Readonly<{ function: Readonly<{ name: string; arguments: string }> }>;
type Choice = Readonly<{ finish_reason: string; message: Readonly<{ tool_calls?: readonly Written[] }> }>;
type Answer = Readonly<{ choices: readonly [Choice, ...Choice[]] }>;
type Kind = "auto" | "required" | "named";

const ajv = new Ajv({ strict: false });
const counts = new Map<string, { asked: number; right: number; cut: number }>();
const faults: string[] = [];

const choiceOf = ({ expected }: Task, kind: Kind): unknown =>
  kind === "named" ? { type: "function", function: { name: expected.tool_calls?.[0]?.name } } : kind;

async function post(cluster: TestCluster, body: object): Promise<Response> {
  const response = await cluster.post("/v1/chat/completions", body);
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

/** The calls of a streamed answer, each put together of its deltas. */
function streamedCalls(events: string): readonly Written[] {
  const calls: { function: { name: string; arguments: string } }[] = [];
  for (const line of events.split("\n").filter((one) => one.startsWith("data: {"))) {
    for (const { index, function: part } of JSON.parse(line.slice(6)).choices[0]?.delta.tool_calls ?? []) {
      calls[index] ??= { function: { name: "", arguments: "" } };
      calls[index].function.name += part?.name ?? "";
      calls[index].function.arguments += part?.arguments ?? "";
    }
  }
  return calls;
}

/** Judges a choice: a cut answer has no whole call, and is no fault. */
function judge(task: Task, label: string, kind: Kind, { finish_reason, message }: Choice): void {
  const count = counts.get(label) ?? { asked: 0, right: 0, cut: 0 };
  counts.set(label, count);
  count.asked++;
  if (finish_reason === "length") return void count.cut++;
  const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: text } }) => {
    const schema = task.request.tools.find((tool) => tool.function.name === name)?.function.parameters;
    const given: unknown = JSON.parse(text);
    if (schema === undefined || !ajv.validate(schema, given)) faults.push(`${task.name} ${label}: ${name} ${text}`);
    return { name, arguments: given };
  });
  const isRight = JSON.stringify(calls) === JSON.stringify(task.expected.tool_calls);
  if (isRight) count.right++;
  else if (kind === "auto" || calls.length === 0) faults.push(`${task.name} ${label}: ${JSON.stringify(calls)}`);
}

async function run(cluster: TestCluster, task: Task): Promise<void> {
  for (const kind of ["auto", "required", "named"] as const) {
    const body = { ...task.request, tool_choice: choiceOf(task, kind) };
    const [whole] = ((await (await post(cluster, body)).json()) as Answer).choices;
    judge(task, `${kind}, greedy`, kind, whole);
    const streamed = streamedCalls(await (await post(cluster, { ...body, stream: true })).text());
    const called = (calls: readonly Written[] = []) => JSON.stringify(calls.map(({ function: call }) => call));
    if (called(streamed) !== called(whole.message.tool_calls)) faults.push(`${task.name} ${kind}: ${called(streamed)}`);
    if (kind === "auto") continue;
    const drawn = await post(cluster, { ...body, temperature: 1, n: 3, seed: 1 });
    const { choices } = (await drawn.json()) as Answer;
    for (const choice of choices) judge(task, `${kind}, temperature 1`, kind, choice);
  }
}

await using cluster = await TestCluster.start({ expertWorkers: 0 });
const tasks = readFileSync(values.tasks, "utf8")
  .trim()
  .split("\n")
  .map((line): Task => JSON.parse(line));
const left = tasks.filter(({ expected }) => expected.tool_calls !== undefined);
const count = left.length;
const client = async () => {
  for (let task = left.pop(); task !== undefined; task = left.pop()) await run(cluster, task);
};
await Promise.all(Array.from({ length: Number(values["at-once"]) }, client));
for (const [label, { asked, right, cut }] of counts)
  console.log(`${label}: ${right} of ${asked} the call that is expected, ${cut} cut by max_tokens`);
for (const fault of faults) console.log(`FAULT  ${fault}`);
console.log(`${count} tasks: ${faults.length} faults`);
if (count === 0 || faults.length > 0) process.exitCode = 1;
