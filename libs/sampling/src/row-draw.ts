import type { TokenDraw } from "@drover/core";
import { EXPONENT_LEAST } from "./limits.ts";
import { uniform } from "./random.ts";
import { allowedTokenIds } from "./steps/allowed-token-ids.ts";
import { allowedTokens } from "./steps/allowed-tokens.ts";
import { bannedNext, bannedSequences } from "./steps/banned-sequences.ts";
import { minTokens } from "./steps/min-tokens.ts";
import { outputPenalties } from "./steps/output-penalties.ts";
import { repetitionPenalty } from "./steps/repetition-penalty.ts";

const WORD_BITS = 32;

/** A draw as numbers: all that `sampleToken` makes of a row's logits, for whoever has these elsewhere. Scores change in the order of the fields; ids are below the vocabulary's size, each once in its list. */
export type RowDraw = Readonly<{
  /** Bit `id % 32` of word `id / 32` says whether a token may come; undefined: every one may. */
  allowed: Uint32Array | undefined;
  /** Tokens that may not come. */
  banned: readonly number[];
  /** What is added to a token's score. */
  biases: ReadonlyArray<readonly [tokenId: number, bias: number]>;
  /** Tokens whose positive scores are divided and whose negative ones are multiplied. */
  seen: readonly number[];
  repetitionPenalty: number;
  /** How often each token is in the output. */
  output: ReadonlyArray<readonly [tokenId: number, count: number]>;
  presencePenalty: number;
  frequencyPenalty: number;
  /** 0: the likeliest token is taken, the lowest id among equals. */
  temperature: number;
  /** Tokens of a weight below e^this are left out; the likeliest weighs e^0. */
  exponentLeast: number;
  /** 0: as many as there are. */
  topK: number;
  topP: number;
  /** Where in the weights' sum the token lies, [0, 1). */
  share: number;
}>;

/** A draw from [V] logits as numbers; undefined for one that only `sampleToken` makes: a bias that is given twice, or bans that may give way. */
export function rowDraw(draw: TokenDraw, vocabSize: number): RowDraw | undefined {
  const { params, history, choice, index } = draw;
  const isKnown = ([id]: readonly [number, number]) => id < vocabSize;
  const biases = params.logitBias.filter(isKnown);
  if (new Set(biases.map(([id]) => id)).size !== biases.length) return undefined;
  const bans = bannedSequences.needed(draw);
  if (bans && allowedTokenIds.needed(draw)) return undefined;
  const ends = minTokens.needed(draw) ? params.stopTokenIds : [];
  const banned = new Set([...ends, ...(bans ? bannedNext(params, history) : [])]);
  const seen = repetitionPenalty.needed(draw) ? [...history.seen()] : [];
  const output = outputPenalties.needed(draw) ? [...history.output()] : [];
  const { repetitionPenalty: repetition, presencePenalty, frequencyPenalty, temperature, topK, topP, minP } = params;
  return {
    allowed: maskOf(draw, vocabSize),
    banned: [...banned].filter((id) => id < vocabSize),
    biases,
    seen: seen.filter((id) => id < vocabSize),
    repetitionPenalty: repetition,
    output: output.filter(isKnown),
    ...{ presencePenalty, frequencyPenalty, temperature, topK, topP },
    exponentLeast: minP > 0 ? Math.max(EXPONENT_LEAST, Math.log(minP)) : EXPONENT_LEAST,
    share: uniform(params.seed, choice, index),
  };
}

/** The tokens that grammar and request both allow. */
function maskOf(draw: TokenDraw, vocabSize: number): Uint32Array | undefined {
  const grammar = allowedTokens.needed(draw) ? draw.allowed : undefined;
  if (!allowedTokenIds.needed(draw)) return grammar;
  const mask = new Uint32Array(Math.ceil(vocabSize / WORD_BITS));
  for (const id of draw.params.allowedTokenIds) {
    const word = Math.floor(id / WORD_BITS);
    const bit = (1 << (id % WORD_BITS)) & (grammar === undefined ? -1 : (grammar[word] as number));
    if (id < vocabSize) mask[word] = (mask[word] as number) | bit;
  }
  return mask;
}
