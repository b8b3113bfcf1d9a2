import { assertNever, at } from "@drover/core";
import type { FinishReason, Output, TokenLogprob, ToolCall } from "../text/output.ts";

export type ChoiceAnswer = {
  text: string;
  toolCalls: ToolCall[];
  tokenIds: number[];
  logprobs: TokenLogprob[];
  /** Of the tokens, so many have some of their text in the answer: the first ones. */
  shownCount: number;
  /** Code points of the choice's text before each token; only with log-probabilities. */
  textOffsets: number[];
  experts: number[][];
  finish: FinishReason;
  /** The stop string that ended it. */
  stopString?: string | undefined;
};

/** What is told of one prompt. */
export type PromptAnswer = Readonly<{ logprobs: TokenLogprob[]; experts: number[][] }>;

/** A text that grows by a token's piece takes ten times its letters until it is read: so many pieces are joined at once. */
const PIECES_MAX = 256;

/** A whole reply, collected. Bounded by the request's `max_tokens` and choices. */
export class Answer {
  readonly #choices: readonly ChoiceAnswer[];
  /** Of each choice, what is not in its text yet. */
  readonly #pieces: readonly string[][];
  readonly prompts: readonly PromptAnswer[];
  cachedTokenCount = 0;

  constructor(promptCount: number, choiceCount: number) {
    this.prompts = Array.from({ length: promptCount }, () => ({ logprobs: [], experts: [] }));
    this.#pieces = Array.from({ length: promptCount * choiceCount }, () => []);
    this.#choices = Array.from({ length: promptCount * choiceCount }, () => ({
      text: "",
      toolCalls: [],
      tokenIds: [],
      logprobs: [],
      shownCount: 0,
      textOffsets: [],
      experts: [],
      finish: "length",
    }));
  }

  /** Of all prompts in their order, those of one beside one another. */
  get choices(): readonly ChoiceAnswer[] {
    for (let i = 0; i < this.#choices.length; i++) this.#join(i);
    return this.#choices;
  }

  /** Reads to the end. `choiceCount` for each prompt. Errors: what ended the request. */
  static async collect(
    outputs: AsyncIterable<readonly Output[]>,
    promptCount: number,
    choiceCount: number,
  ): Promise<Answer> {
    const answer = new Answer(promptCount, choiceCount);
    for await (const batch of outputs) for (const output of batch) answer.add(output);
    return answer;
  }

  add(output: Output): void {
    switch (output.kind) {
      case "prompt": {
        const { logprobs, experts } = at(this.prompts, output.prompt);
        for (const logprob of output.logprobs) logprobs.push(logprob);
        for (const rows of output.experts) experts.push(rows);
        return;
      }
      case "token": {
        const choice = at(this.#choices, output.choice);
        choice.tokenIds.push(output.tokenId);
        choice.shownCount += output.shownCount;
        if (output.text !== "" && at(this.#pieces, output.choice).push(output.text) >= PIECES_MAX)
          this.#join(output.choice);
        choice.toolCalls.push(...output.toolCalls);
        if (output.logprob !== undefined) {
          choice.logprobs.push(output.logprob);
          choice.textOffsets.push(output.textOffset);
        }
        if (output.experts !== undefined) choice.experts.push(output.experts);
        if (output.finish !== undefined) choice.finish = output.finish;
        if (output.stopString !== undefined) choice.stopString = output.stopString;
        return;
      }
      case "end":
        this.cachedTokenCount = output.cachedTokenCount;
        return;
      default:
        assertNever(output);
    }
  }

  get completionTokenCount(): number {
    return this.#choices.reduce((sum, choice) => sum + choice.tokenIds.length, 0);
  }

  #join(index: number): void {
    const pieces = at(this.#pieces, index);
    if (pieces.length > 0) at(this.#choices, index).text += pieces.splice(0).join("");
  }
}
