import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { type Conversation, readLines, type Score, score, type Task } from "./quality-score.ts";

/**
 * How many tasks each format of the weights solves, and how well it predicts the reference conversations, beside bf16: `npm run quality`. Prints the
 * table of docs/quality.md. Ends with 1 when a format keeps less than `--keep` of bf16's right answers, or bf16 itself answers nothing.
 */
const FORMATS: Readonly<Record<string, Readonly<{ checkpoint: string; flags: readonly string[] }>>> = {
  bf16: { checkpoint: "nano", flags: [] },
  fp8: { checkpoint: "nano-fp8", flags: [] },
  "ct-fp8": { checkpoint: "nano-ct-fp8", flags: [] },
  int8: { checkpoint: "nano", flags: ["--quantize", "int8"] },
  int4: { checkpoint: "nano", flags: ["--quantize", "int4"] },
  "int4-64": { checkpoint: "nano", flags: ["--quantize", "int4", "--quantize-block", "64"] },
  "int4-32": { checkpoint: "nano", flags: ["--quantize", "int4", "--quantize-block", "32"] },
  "kv-int8": { checkpoint: "nano", flags: ["--kv-dtype", "int8"] },
};

const { values } = parseArgs({
  options: {
    /** The folder with the checkpoints and, in `goldens/nano`, tasks and prompts. */
    data: { type: "string", default: join(import.meta.dirname, "../../shared") },
    tasks: { type: "string" },
    formats: { type: "string", default: Object.keys(FORMATS).join(",") },
    /** Only tasks of these kinds. */
    kinds: { type: "string" },
    concurrency: { type: "string", default: "8" },
    keep: { type: "string", default: "0.95" },
  },
});
const data = resolve(values.data);
const kinds = values.kinds?.split(",");
const tasks = readLines<Task>(values.tasks ?? join(data, "goldens/nano/tasks.jsonl")).filter(
  ({ task }) => kinds === undefined || kinds.includes(task),
);
const conversations = readLines<Golden>(join(data, "goldens/nano/goldens.jsonl")).filter(isConversation);
const keep = Number(values.keep);
const names = ["bf16", ...values.formats.split(",").filter((name) => name !== "bf16")];
const scores = new Map<string, Score>();

for (const name of names) {
  const format = FORMATS[name];
  if (format === undefined)
    throw new Error(`unknown format ${name}; the formats are ${Object.keys(FORMATS).join(", ")}`);
  const beganMs = performance.now();
  try {
    await using cluster = await TestCluster.start({
      model: join(data, format.checkpoint),
      expertWorkers: 1,
      flags: format.flags,
    });
    scores.set(name, await score(cluster, tasks, conversations, Number(values.concurrency)));
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
    process.stderr.write(`${name}: ${scores.get(name)?.rightCount} of ${tasks.length} right, ${seconds} s\n`);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

const baseline = scores.get("bf16")?.rightCount ?? 0;
process.stdout.write(`${table()}\n`);
const failed = names.filter((name) => baseline === 0 || (scores.get(name)?.rightCount ?? 0) < keep * baseline);
if (failed.length > 0) process.stderr.write(`under ${keep * 100}% of bf16's right answers: ${failed.join(", ")}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;

type Golden = Conversation & Readonly<{ messages?: readonly unknown[] | null; images?: readonly string[] }>;

/** Prompts of random ids say nothing about a model, and images have no log-probabilities. */
function isConversation({ messages, images }: Golden): boolean {
  return messages !== undefined && messages !== null && (images?.length ?? 0) === 0;
}

function table(): string {
  const kindNames = [...new Set(tasks.map(({ task }) => task))];
  const total = (kind: string) => tasks.filter(({ task }) => task === kind).length;
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const head = ["format", `right of ${tasks.length}`, "kept", ...kindNames.map((kind) => `${kind} (${total(kind)})`)];
  const lines = names.map((name) => {
    const got = scores.get(name);
    if (got === undefined) return row([name, "did not run"]);
    const kept = `${((100 * got.rightCount) / baseline).toFixed(1)}%`;
    const errors = got.errorCount === 0 ? "" : ` (${got.errorCount} errors)`;
    const cells = kindNames.map((kind) => got.right.get(kind) ?? 0);
    return row([
      name,
      `${got.rightCount}${errors}`,
      kept,
      ...cells,
      got.promptPerplexity.toFixed(1),
      got.answerPerplexity.toFixed(4),
    ]);
  });
  return [
    row([...head, "perplexity of prompts", "of answers"]),
    row([...head, "", ""].map(() => "---")),
    ...lines,
  ].join("\n");
}
