import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * What a JSON schema costs: 32 answers at once, each of 128 tokens, free and by a schema, in turns. Prints tokens/s of each round and the
 * medians' share; ends with 1 where that is below 0.9.
 * Envelope: a mask of nano's 4,096 tokens takes some 0.05 ms, so 32 of them 2 ms on a thread beside the steps, of which one takes tens of milliseconds.
 */
const STREAMS = 32;
const TOKENS = 128;
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SHARE_MIN = 0.9;

const schema = {
  type: "object",
  properties: {
    title: { type: "string" },
    year: { type: "integer", minimum: 1900, maximum: 2100 },
    kind: { enum: ["book", "film", "song"] },
    parts: {
      type: "array",
      minItems: 100,
      items: {
        type: "object",
        properties: { name: { type: "string", maxLength: 40 }, length: { type: "number" } },
        required: ["name", "length"],
      },
    },
  },
  required: ["title", "year", "kind", "parts"],
};
const FIELDS = {
  free: { ignore_eos: true },
  structured: { response_format: { type: "json_schema", json_schema: { name: "work", schema } } },
};
type Kind = keyof typeof FIELDS;

/** Tokens a second of all answers together. */
async function round(cluster: TestCluster, kind: Kind): Promise<number> {
  const began = performance.now();
  const counts = await Promise.all(
    Array.from({ length: STREAMS }, async (_, seed) => {
      const response = await cluster.post("/v1/chat/completions", {
        model: "nano",
        temperature: 1,
        seed,
        max_tokens: TOKENS,
        messages: [{ role: "user", content: "Tell me of something that was made." }],
        ...FIELDS[kind],
      });
      if (!response.ok) throw new Error(await response.text());
      const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
      return usage.completion_tokens;
    }),
  );
  return (counts.reduce((sum, count) => sum + count, 0) * 1000) / (performance.now() - began);
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

await using cluster = await TestCluster.start({ expertWorkers: 0 });
const speeds: Record<Kind, number[]> = { free: [], structured: [] };
for (const kind of ["free", "structured"] as const) await round(cluster, kind);
for (let i = 0; i < ROUNDS; i++)
  for (const kind of ["free", "structured"] as const) {
    const speed = await round(cluster, kind);
    speeds[kind].push(speed);
    console.log(`${kind}: ${speed.toFixed(0)} tokens/s`);
  }
const share = median(speeds.structured) / median(speeds.free);
console.log(`share of the free ones' speed: ${share.toFixed(3)}`);
process.exitCode = share < SHARE_MIN ? 1 : 0;
