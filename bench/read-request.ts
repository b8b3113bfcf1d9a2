// How long a router takes to read a request's body: its JSON, and then its fields. Back of the envelope: JSON.parse takes some 2 ns a byte, and
// reading must be far less. Usage: node scripts/run.mjs bench/read-request.ts
import { parseRequestJson } from "@drover/chat";
import { readChat, readCompletion } from "@drover/openai";

const FACTS = {
  modelId: "nano",
  aliases: [],
  vocabSize: 202_048,
  contextTokensMax: 1_048_576,
  readsImages: true,
  callStyle: "json" as const,
  defaults: {
    bosTokenId: 1,
    eosTokenIds: [2],
    doSample: true,
    temperature: 0.6,
    topP: 0.9,
    topK: undefined,
    maxNewTokens: undefined,
  },
};
const ROUNDS = 15;

const words = (count: number) => Array.from({ length: count }, (_, i) => `word${i % 97}`).join(" ");
const chat = (messages: readonly object[]) =>
  JSON.stringify({
    model: "nano",
    messages,
    temperature: 0.7,
    top_p: 0.9,
    max_tokens: 256,
    stream: true,
    stop: ["\n\n"],
  });
const turn = (content: string) => ({ role: "user", content });

/** What is read, how, and how often a round reads it. */
const BODIES = [
  { name: "chat of 100 words", read: readChat, text: chat([turn(words(100))]), count: 2000 },
  { name: "chat of 1 MB in one message", read: readChat, text: chat([turn(words(150_000))]), count: 10 },
  {
    name: "chat of 1 MB in 4000 messages",
    read: readChat,
    text: chat(Array.from({ length: 4000 }, () => turn(words(35)))),
    count: 10,
  },
  {
    name: "completion of 1 MB of token ids",
    read: readCompletion,
    text: JSON.stringify({ model: "nano", prompt: Array.from({ length: 170_000 }, (_, i) => (i * 7919) % 200_000) }),
    count: 10,
  },
] as const;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

for (const { name, read, text, count } of BODIES) {
  const parsing: number[] = [];
  const reading: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    const bodies = Array.from({ length: count }, () => parseRequestJson(text));
    const parsed = performance.now();
    for (const body of bodies) read(body, FACTS);
    parsing.push((parsed - began) / count);
    reading.push((performance.now() - parsed) / count);
  }
  const us = (values: readonly number[]) => `${(median(values) * 1000).toFixed(1)} us`;
  console.log(`${name}: ${text.length} bytes, JSON ${us(parsing)}, fields ${us(reading)}`);
}
