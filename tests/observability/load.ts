import sharp from "sharp";
import type { TestCluster } from "../e2e/test-cluster.ts";

const SYSTEM = "You answer in one short sentence, and you never say more than you were asked for. ".repeat(8);
const ids = (length: number, seed: number) =>
  Array.from({ length }, (_, i) => 100 + ((i * 7919 + seed * 104_729) % 2500));

/** What a load has done so far. */
type Load = Readonly<{ ended: Promise<unknown>; turnsLeast: () => number }>;

/**
 * Sends requests of every kind, over and over until the signal aborts: text with a prefix in common, pictures, long contexts, mistakes, clients
 * that leave. `turnsLeast`: how many of the kind that is slowest have ended.
 */
export function load(cluster: TestCluster, signal: AbortSignal): Load {
  const chat = (content: unknown, fields: object = {}) => ({
    model: "nano",
    messages: [
      { role: "system", content: SYSTEM },
      { role: "user", content },
    ],
    max_tokens: 16,
    ...fields,
  });
  const kinds: readonly ((turn: number) => Promise<unknown>)[] = [
    (turn) => ask(cluster, "/v1/chat/completions", chat(`What is the capital of France? (${turn})`), signal),
    (turn) => ask(cluster, "/v1/chat/completions", chat(`What is two and ${turn}?`, { stream: true }), signal),
    async (turn) => ask(cluster, "/v1/chat/completions", chat(await picture(turn)), signal),
    (turn) =>
      ask(
        cluster,
        "/v1/completions",
        { model: "nano", prompt: ids(1500, turn), max_tokens: 16, ignore_eos: true },
        signal,
      ),
    () => ask(cluster, "/v1/chat/completions", chat("hello", { temperature: "warm" }), signal),
    () =>
      ask(cluster, "/v1/chat/completions", chat("Tell a long story", { max_tokens: 200 }), AbortSignal.timeout(100)),
  ];
  const turns = kinds.map(() => 0);
  const ended = Promise.all(
    kinds.map(async (send, kind) => {
      for (let turn = 0; !signal.aborted; turn++) {
        await send(turn);
        turns[kind] = turn + 1;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }),
  );
  return { ended, turnsLeast: () => Math.min(...turns) };
}

/** A question about a picture that is another one each turn: the same one would be encoded once. */
async function picture(turn: number) {
  const background = { r: (turn * 37) % 256, g: (turn * 91) % 256, b: 128 };
  const png = await sharp({ create: { width: 64, height: 64, channels: 3, background } })
    .png()
    .toBuffer();
  return [
    { type: "image_url", image_url: { url: `data:image/png;base64,${png.toString("base64")}` } },
    { type: "text", text: "What is in this image?" },
  ];
}

/** What becomes of a request is for the metrics to say: refusals and clients that leave are part of the load. */
async function ask(cluster: TestCluster, path: string, body: unknown, signal: AbortSignal): Promise<void> {
  try {
    await (await cluster.post(path, body, signal)).text();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
