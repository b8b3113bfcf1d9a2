import type { Tokenizer } from "@drover/tokenizer";
import { type Static, Type } from "typebox";
import type { TokenLogprob } from "../text/output.ts";
import { codePointCount } from "../text/token-places.ts";
import { LongList, type Written } from "./long-list.ts";

const tokenFields = {
  token: Type.String({ description: "Its text; U+FFFD where it is a part of a character." }),
  logprob: Type.Number({ description: "Of the raw logits; -9999 for what cannot happen." }),
  bytes: Type.Array(Type.Integer(), { description: "Its bytes, which together with its neighbours' are UTF-8." }),
};

/** `choices[].logprobs` of chat. */
export const ChatLogprobs = Type.Object({
  content: Type.Array(
    Type.Object({
      ...tokenFields,
      top_logprobs: Type.Array(Type.Object(tokenFields), { description: "The likeliest at its place." }),
    }),
    {
      description: "Of the tokens that the text is made of: none of the end, nor of what a stop string cut off whole.",
    },
  ),
  refusal: Type.Null(),
});

/** `choices[].logprobs` of completions; a list each, with an entry for every token, also the one that ended the choice: evaluations count on it. */
export const CompletionLogprobs = Type.Object({
  tokens: Type.Array(Type.String()),
  token_logprobs: Type.Array(Type.Union([Type.Number(), Type.Null()]), {
    description: "null for the prompt's first token, which nothing predicts.",
  }),
  top_logprobs: Type.Union([
    Type.Array(Type.Union([Type.Record(Type.String(), Type.Number()), Type.Null()])),
    Type.Null(),
  ]),
  text_offset: Type.Array(Type.Integer(), { description: "Code points of the text before the token." }),
});

/** JSON has no minus infinity; OpenAI writes this for what cannot happen. */
export const IMPOSSIBLE = -9999;
const finite = (logprob: number) => (Number.isFinite(logprob) ? logprob : IMPOSSIBLE);

export function chatLogprobs(
  tokens: readonly TokenLogprob[],
  tokenizer: Tokenizer,
): Written<Static<typeof ChatLogprobs>> {
  const entry = (tokenId: number, logprob: number) => ({
    token: tokenizer.tokenText(tokenId),
    logprob: finite(logprob),
    bytes: [...tokenizer.tokenBytes(tokenId)],
  });
  const content = ({ tokenId, logprob, top }: TokenLogprob) => ({
    ...entry(tokenId, logprob ?? IMPOSSIBLE),
    top_logprobs: top.map((ranked) => entry(ranked.tokenId, ranked.logprob)),
  });
  return { content: listOf(tokens, content), refusal: null };
}

/** The chosen token is always among `top_logprobs`, where those are asked for. */
export function completionLogprobs(
  tokens: Iterable<TokenLogprob>,
  textOffsets: Iterable<number>,
  topCount: number,
  tokenizer: Tokenizer,
): Written<Static<typeof CompletionLogprobs>> {
  const top = (token: TokenLogprob) => (token.logprob === undefined ? null : topMap(token, topCount, tokenizer));
  return {
    tokens: listOf(tokens, ({ tokenId }) => tokenizer.tokenText(tokenId)),
    token_logprobs: listOf(tokens, ({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs: topCount <= 0 ? null : listOf(tokens, top),
    text_offset: listOf(textOffsets, (offset) => offset),
  };
}

/** A list of what is made of each entry when it is written. */
const listOf = <S, T>(source: Iterable<S>, entry: (one: S) => T): LongList<T> =>
  new LongList(function* () {
    for (const one of source) yield entry(one);
  });

function topMap(
  { tokenId, logprob, top }: TokenLogprob,
  topCount: number,
  tokenizer: Tokenizer,
): Record<string, number> {
  const map = new Map<string, number>();
  // A prompt's tokens may have more, of which another field tells.
  for (const ranked of top.slice(0, topCount)) {
    const text = tokenizer.tokenText(ranked.tokenId);
    // Different tokens may look the same where they are parts of a character: the likelier one stands.
    if (!map.has(text)) map.set(text, finite(ranked.logprob));
  }
  const own = tokenizer.tokenText(tokenId);
  if (!map.has(own)) map.set(own, finite(logprob ?? IMPOSSIBLE));
  return Object.fromEntries(map);
}

/** Where each prompt token begins in the prompt's text, in code points. */
export function promptTextOffsets(promptTokenIds: Uint32Array, tokenizer: Tokenizer): LongList<number> {
  return new LongList(function* () {
    const stream = tokenizer.stream();
    let length = 0;
    for (const id of promptTokenIds) {
      yield length;
      if (!tokenizer.isSpecial(id)) length += codePointCount(stream.push(id));
    }
  });
}
