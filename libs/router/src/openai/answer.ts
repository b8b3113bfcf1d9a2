import { assertNever } from "@drover/core";
import type { InferenceRequest } from "./inference-request.ts";
import type { FinishReason, Output, TokenLogprob, ToolCall } from "./output.ts";

export type ChoiceAnswer = {
  text: string;
  toolCalls: ToolCall[];
  tokenIds: number[];
  logprobs: TokenLogprob[];
  /** Text length before each token. */
  textOffsets: number[];
  experts: (readonly number[])[];
  finish: FinishReason;
};

/** A whole reply, collected. Bounded by the request's `max_tokens` and choices. */
export class Answer {
  readonly choices: readonly ChoiceAnswer[];
  readonly promptLogprobs: TokenLogprob[] = [];
  readonly promptExperts: (readonly number[])[] = [];
  cachedTokenCount = 0;

  constructor(choiceCount: number) {
    this.choices = Array.from({ length: choiceCount }, () => ({
      text: "",
      toolCalls: [],
      tokenIds: [],
      logprobs: [],
      textOffsets: [],
      experts: [],
      finish: "length",
    }));
  }

  /** Reads to the end. Errors: what ended the request. */
  static async collect(outputs: AsyncIterable<readonly Output[]>, request: InferenceRequest): Promise<Answer> {
    const answer = new Answer(request.sampling.n);
    for await (const batch of outputs) for (const output of batch) answer.add(output);
    return answer;
  }

  add(output: Output): void {
    switch (output.kind) {
      case "prompt":
        this.promptLogprobs.push(...output.logprobs);
        this.promptExperts.push(...output.experts);
        return;
      case "token": {
        const choice = this.choices[output.choice];
        if (choice === undefined) return;
        choice.tokenIds.push(output.tokenId);
        choice.textOffsets.push(choice.text.length);
        choice.text += output.text;
        choice.toolCalls.push(...output.toolCalls);
        if (output.logprob !== undefined) choice.logprobs.push(output.logprob);
        if (output.experts !== undefined) choice.experts.push(output.experts);
        if (output.finish !== undefined) choice.finish = output.finish;
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
    return this.choices.reduce((sum, choice) => sum + choice.tokenIds.length, 0);
  }
}
