import { assertNever, at } from "@drover/core";
import type { FinishReason, Output, TokenLogprob, ToolCall } from "../text/output.ts";

export type ChoiceAnswer = {
  text: string;
  toolCalls: ToolCall[];
  tokenIds: number[];
  logprobs: TokenLogprob[];
  /** Text length before each token. */
  textOffsets: number[];
  experts: number[][];
  finish: FinishReason;
  /** The stop string that ended it. */
  stopString?: string | undefined;
};

/** A whole reply, collected. Bounded by the request's `max_tokens` and choices. */
export class Answer {
  readonly choices: readonly ChoiceAnswer[];
  readonly promptLogprobs: TokenLogprob[] = [];
  readonly promptExperts: number[][] = [];
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
  static async collect(outputs: AsyncIterable<readonly Output[]>, choiceCount: number): Promise<Answer> {
    const answer = new Answer(choiceCount);
    for await (const batch of outputs) for (const output of batch) answer.add(output);
    return answer;
  }

  add(output: Output): void {
    switch (output.kind) {
      case "prompt":
        for (const logprob of output.logprobs) this.promptLogprobs.push(logprob);
        for (const experts of output.experts) this.promptExperts.push(experts);
        return;
      case "token": {
        const choice = at(this.choices, output.choice);
        choice.tokenIds.push(output.tokenId);
        choice.textOffsets.push(choice.text.length);
        choice.text += output.text;
        choice.toolCalls.push(...output.toolCalls);
        if (output.logprob !== undefined) choice.logprobs.push(output.logprob);
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
    return this.choices.reduce((sum, choice) => sum + choice.tokenIds.length, 0);
  }
}
