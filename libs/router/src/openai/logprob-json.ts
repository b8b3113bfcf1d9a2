import type { Tokenizer } from "@drover/tokenizer";
import type { TokenLogprob } from "./output.ts";

/** JSON has no minus infinity; OpenAI writes this for what cannot happen. */
const IMPOSSIBLE = -9999;
const finite = (logprob: number) => (Number.isFinite(logprob) ? logprob : IMPOSSIBLE);

/** `choices[].logprobs` of chat. */
export function chatLogprobs(tokens: readonly TokenLogprob[], tokenizer: Tokenizer) {
  const entry = (tokenId: number, logprob: number) => ({
    token: tokenizer.tokenText(tokenId),
    logprob: finite(logprob),
    bytes: [...tokenizer.tokenBytes(tokenId)],
  });
  return {
    content: tokens.map(({ tokenId, logprob, top }) => ({
      ...entry(tokenId, logprob ?? IMPOSSIBLE),
      top_logprobs: top.map((ranked) => entry(ranked.tokenId, ranked.logprob)),
    })),
    refusal: null,
  };
}

/** `choices[].logprobs` of completions. The chosen token is always among `top_logprobs`, where those are asked for. */
export function completionLogprobs(
  tokens: readonly TokenLogprob[],
  textOffsets: readonly number[],
  topCount: number,
  tokenizer: Tokenizer,
) {
  return {
    tokens: tokens.map(({ tokenId }) => tokenizer.tokenText(tokenId)),
    token_logprobs: tokens.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs:
      topCount <= 0 ? null : tokens.map((token) => (token.logprob === undefined ? null : topMap(token, tokenizer))),
    text_offset: textOffsets,
  };
}

function topMap({ tokenId, logprob, top }: TokenLogprob, tokenizer: Tokenizer): Record<string, number> {
  const map = new Map<string, number>();
  for (const ranked of top) {
    const text = tokenizer.tokenText(ranked.tokenId);
    // Different tokens may look the same where they are parts of a character: the likelier one stands.
    if (!map.has(text)) map.set(text, finite(ranked.logprob));
  }
  const own = tokenizer.tokenText(tokenId);
  if (!map.has(own)) map.set(own, finite(logprob ?? IMPOSSIBLE));
  return Object.fromEntries(map);
}

/** Where each prompt token begins in the prompt's text. */
export function promptTextOffsets(promptTokenIds: Uint32Array, tokenizer: Tokenizer): number[] {
  const stream = tokenizer.stream();
  let length = 0;
  return Array.from(promptTokenIds, (id) => {
    const offset = length;
    if (!tokenizer.isSpecial(id)) length += stream.push(id).length;
    return offset;
  });
}
