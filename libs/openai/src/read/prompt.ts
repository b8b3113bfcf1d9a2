import { looksMarked } from "@drover/chat";
import { type Static, Type } from "typebox";
import { CHOICES_MAX } from "../limits.ts";
import { checkPromptFits } from "../request/fit.ts";
import type { PromptQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError } from "../schema/check.ts";
import { checkTokenIds, optional } from "../schema/fields.ts";
import { SAYS, SENTENCES, UNCHECKED } from "../schema/sentences.ts";

/** Entries are of one kind, which the reader checks. */
const PromptEntry = Type.Union(
  [Type.Integer({ minimum: 0 }), Type.String(), Type.Array(Type.Integer({ minimum: 0 }))],
  {
    [SAYS]: "must be a token id, or a prompt",
  },
);

const PromptList = Type.Array(PromptEntry, {
  description: "Token ids, taken as they are; or several prompts, each a text or a list of token ids.",
  [UNCHECKED]: true,
});

/** Prompts without a template. */
export const promptFields = {
  prompt: Type.Union([Type.String(), PromptList], {
    description: "Text, or token ids; a completion takes a list of them too, whose choices it answers in their order.",
    [SAYS]: "must be a string or a list of token ids",
  }),
  add_special_tokens: optional(
    Type.Boolean({ description: "Text begins with the model's begin token.", default: true }),
  ),
  parse_special: optional(
    Type.Boolean({
      description:
        "Names of special tokens in text, such as `<|header_start|>`, are these tokens, for who renders the template; a begin token at its begin is then the only one. Without it they are text, whoever wrote them.",
      default: false,
    }),
  ),
};

const PromptBody = Type.Object(promptFields);
type PromptBody = Static<typeof PromptBody>;

/** The one prompt of a body. Errors: `invalid_argument`, also for several, or `context_length_exceeded` for more token ids than the context holds. */
export function readPrompt(body: PromptBody, facts: ModelFacts): PromptQuery {
  if (severalIn(body.prompt) !== undefined)
    throw fieldError("prompt", "may hold only one prompt: a string or a list of token ids");
  return readOne("prompt", body.prompt, body, facts);
}

/** The prompts of a body, one or several, each of which is answered by `choiceCount` choices. Errors: those of `readPrompt`, naming the prompt of a list. */
export function readPrompts(body: PromptBody, facts: ModelFacts, choiceCount: number): readonly PromptQuery[] {
  const several = severalIn(body.prompt);
  if (several === undefined) return [readOne("prompt", body.prompt, body, facts)];
  if (several.length * choiceCount > CHOICES_MAX)
    throw fieldError("prompt", `may ask for at most ${CHOICES_MAX} choices: prompts times n`);
  return several.map((prompt, i) => readOne(`prompt[${i}]`, prompt, body, facts));
}

/** The entries of a list of prompts; undefined for one prompt. */
function severalIn(prompt: PromptBody["prompt"]): readonly (string | readonly unknown[])[] | undefined {
  if (typeof prompt === "string" || prompt.length === 0) return undefined;
  const entries: readonly unknown[] = prompt;
  return entries.every((entry) => typeof entry === "string" || Array.isArray(entry)) ? entries : undefined;
}

function readOne(
  field: string,
  prompt: string | readonly unknown[],
  { add_special_tokens: addSpecialTokens, parse_special: isMarked }: PromptBody,
  { vocabSize, contextTokensMax, defaults }: ModelFacts,
): PromptQuery {
  if (typeof prompt === "string") {
    if (!prompt.isWellFormed()) throw fieldError(field, SENTENCES.unicode);
    const first = addSpecialTokens === false ? undefined : defaults.bosTokenId;
    return { kind: "text", field, text: prompt, first, isMarked: isMarked ?? false, looksMarked: looksMarked(prompt) };
  }
  if (prompt.length === 0) throw fieldError(field, SENTENCES.empty);
  // Counted before the ids are looked at, so that a prompt far too long says so.
  checkPromptFits(field, prompt.length, 0, contextTokensMax);
  checkTokenIds(field, prompt, vocabSize);
  return { kind: "tokens", field, ids: Uint32Array.from(prompt) };
}
