import { type KvGeometry, kvGeometry } from "@drover/kv";

/** A model that computes nothing but what a test can know: each token is a function of all tokens before it, by way of KV rows and experts. */
export const MODEL = {
  name: "sim",
  fingerprint: "simulated",
  vocabSize: 258,
  eosTokenId: 257,
  hiddenSize: 4,
  expertWidth: 8,
  moeLayers: [1, 3],
  expertCount: 6,
  chunkSize: 64,
} as const;

export const GEOMETRY: KvGeometry = kvGeometry(
  { isGlobalLayer: [false, true], chunkSize: MODEL.chunkSize, kvHeadCount: 1, headDim: 4 },
  "f32",
);

/** Mixes two words into one in which every bit of both counts. */
export function mixed(a: number, b: number): number {
  let word = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  word ^= word >>> 15;
  word = Math.imul(word, 0x2c1b3c6d);
  return (word ^ (word >>> 13)) >>> 0;
}

/** What a token at a position is before the experts: all that its row depends on. */
export const embedded = (tokenId: number, position: number): number => mixed(tokenId + 1, position);

/** The expert that a row asks for in a layer. */
export const expertOf = (word: number, layer: number): number => mixed(word, layer) % MODEL.expertCount;

/** A row's input to an expert, [D]: whole numbers that f32 holds exactly. */
export function expertInput(word: number, layer: number): readonly number[] {
  return [word & 0xfff, (word >>> 12) & 0xfff, layer, 1];
}

/** What an expert makes of one number of a row. */
export const expertOutput = (layer: number, expert: number, value: number): number =>
  (value * (3 * layer + 5 * expert + 7) + expert) % 65_521;

/** What the row of a token holds in the KV, once its experts have answered with `answers`, a sum for each layer. */
export const keptRow = (word: number, answers: readonly number[]): number =>
  answers.reduce((sum, answer) => mixed(sum, answer), word) || 1;

/** A token's row as it must be. */
export function trueRow(tokenId: number, position: number): number {
  const word = embedded(tokenId, position);
  const answers = MODEL.moeLayers.map((layer) => {
    const expert = expertOf(word, layer);
    return expertInput(word, layer).reduce((sum, value) => sum + expertOutput(layer, expert, value), 0);
  });
  return keptRow(word, answers);
}

/** The token behind rows: all rows count, and those of the last chunk once more, in their own order. */
export function drawn(global: Iterable<number>, local: Iterable<number>, choice: number, index: number): number {
  let word = mixed(choice, index);
  for (const row of global) word = mixed(word, row);
  for (const row of local) word = mixed(row, word);
  return word % 151 === 0 ? MODEL.eosTokenId : word % 256;
}

/** The whole answer of one choice, as it must be: up to the token that ends it, or `tokensMax`. */
export function trueAnswer(prompt: readonly number[], choice: number, tokensMax: number): readonly number[] {
  const rows = prompt.map(trueRow);
  const answer: number[] = [];
  while (answer.length < tokensMax) {
    const chunkStart = Math.floor((rows.length - 1) / MODEL.chunkSize) * MODEL.chunkSize;
    const tokenId = drawn(rows, rows.slice(chunkStart), choice, answer.length);
    answer.push(tokenId);
    if (tokenId === MODEL.eosTokenId) break;
    rows.push(trueRow(tokenId, rows.length));
  }
  return answer;
}
