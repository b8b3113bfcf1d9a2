import { greedyParams, type SamplingParams, type TokenDraw } from "@drover/core";
import { rowDraw, sampleToken, TokenHistory } from "@drover/sampling";
import { DeviceMemory } from "../../memory/device-memory.ts";
import { StepDraws } from "../../model/step-draws.ts";
import type { CheckedCard } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

const SIZES = { headCount: 2, kvHeadCount: 1, headDim: 8, chunkSize: 64, pageRows: 64, kv: "f32" } as const;

/** Numbers below `count`, each once. */
function some(random: Random, count: number, most: number): number[] {
  const length = Math.floor(random.unit() * (most + 1));
  return [...new Set(Array.from({ length }, () => Math.floor(random.unit() * count)))];
}

/** What a request may ask for, each now and then. */
function paramsOf(random: Random, vocabSize: number): SamplingParams {
  const or = <Value>(value: Value, otherwise: Value) => (random.unit() < 0.5 ? value : otherwise);
  const bans = or(some(random, vocabSize, 5), []);
  return {
    ...greedyParams(9),
    temperature: random.unit() < 0.2 ? 0 : 0.1 + 2 * random.unit(),
    topK: or(1 + Math.floor(random.unit() * 40), 0),
    topP: or(0.05 + 0.9 * random.unit(), 1),
    minP: or(random.unit() / 5, 0),
    repetitionPenalty: or(1 + random.unit(), 1),
    presencePenalty: or(4 * random.unit() - 2, 0),
    frequencyPenalty: or(4 * random.unit() - 2, 0),
    logitBias: or(some(random, vocabSize + 9, 9), []).map((id) => [id, 20 * random.unit() - 10] as const),
    bannedSequences: bans.map((id) => (id % 2 === 0 ? [id] : [7, id])),
    allowedTokenIds: bans.length === 0 ? or(some(random, vocabSize, 30), []) : [],
    minTokens: or(3, 0),
    stopTokenIds: some(random, vocabSize, 3),
    seed: Math.floor(random.unit() * 2 ** 53),
  };
}

/** A draw, some of whose tokens a grammar allows now and then. */
function drawOf(random: Random, vocabSize: number): TokenDraw {
  const history = new TokenHistory(some(random, vocabSize, 50));
  for (const id of [...some(random, vocabSize, 50), 5, 5, 7]) history.append(id);
  const words = Uint32Array.from({ length: Math.ceil(vocabSize / 32) }, () => random.unit() * 2 ** 32);
  const allowed = random.unit() < 0.3 ? words : undefined;
  return { params: paramsOf(random, vocabSize), history, choice: 0, index: 1 + Math.floor(random.unit() * 5), allowed };
}

/** Of so many draws the share that another token comes of than on a CPU, and a tenth of those that the card leaves to it. */
function wrongShare(card: CheckedCard, random: Random, vocabSize: number, rowCount: number): number {
  // Of many equal scores, and of scores that are all apart.
  const rows = Array.from({ length: rowCount }, (_, row) =>
    random.floats(vocabSize, 12).map((value) => (row % 2 === 0 ? Math.round(value) : value)),
  );
  const cases = rows.map((logits) => ({ logits, draw: drawOf(random, vocabSize) }));
  const { device, stream } = card;
  const memory = new DeviceMemory(device);
  const draws = new StepDraws(
    { device, memory, kernels: card.kernels(SIZES, "f32") },
    { rowsMax: rowCount, vocabSize },
  );
  const placed = cases.flatMap(({ draw }, place) => {
    const known = rowDraw(draw, vocabSize);
    return known === undefined ? [] : [{ place, draw: known }];
  });
  const left = draws.begin(placed);
  const logits = card.put(Float32Array.from(rows.flatMap((row) => [...row])));
  draws.send(stream);
  draws.enqueue({ first: 0, count: rowCount, topCount: 1 }, logits, stream);
  device.synchronize(stream);
  const answers = draws.answers();
  let wrong = left.length + (cases.length - placed.length);
  for (const [place, answer] of answers) {
    const { logits, draw } = cases[place] as (typeof cases)[number];
    const tokenId = sampleToken({ logits, ...draw });
    if (answer === undefined) wrong += 0.1;
    else if (answer.tokenId !== tokenId || answer.logit !== logits[tokenId]) wrong += 1;
  }
  draws.close();
  memory.close();
  return wrong / rowCount;
}

function drawCheck(vocabSize: number, rowCount: number): KernelCheck {
  return {
    name: `draw, ${rowCount} rows of ${vocabSize} logits: tokens are a CPU's`,
    errorMax: 0,
    run: (card, random) => wrongShare(card, random, vocabSize, rowCount),
  };
}

/** Tokens drawn on a card beside those of libs/sampling for the same logits. */
export const drawChecks: readonly KernelCheck[] = [
  drawCheck(300, 64),
  drawCheck(97, 64),
  drawCheck(9000, 32),
  drawCheck(202_048, 8),
];
