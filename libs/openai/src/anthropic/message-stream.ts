import type { DroverError } from "@drover/core";
import { Type } from "typebox";
import type { FinishReason, Output, TokenOutput } from "../text/output.ts";
import { publicError } from "../write/error.ts";
import { namedEvent, type ReplyFrame, type ReplyStream } from "../write/reply-frame.ts";
import { anthropicError } from "./error.ts";
import { anthropicUsage, stopOf } from "./message.ts";

/** The data of one event of a streamed message, which has its name as `type`. */
export const AnthropicEvent = Type.Object(
  {
    type: Type.Enum([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
      "error",
    ]),
  },
  { description: "As Anthropic's events are: what comes beside `type` depends on it." },
);

/** A streamed message: its beginning, each block of text or call from start to stop, and why it ended. */
export class AnthropicReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  #hasBegun = false;
  #blockCount = 0;
  #isTextOpen = false;
  #tokenCount = 0;
  #finish: FinishReason = "length";
  #stopString: string | undefined;

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
  }

  push(output: Output): string {
    if (output.kind === "prompt") return "";
    const begin = this.#begin();
    return begin + (output.kind === "token" ? this.#token(output) : this.#end(output.cachedTokenCount));
  }

  fail(error: DroverError): string {
    return namedEvent(anthropicError(publicError(error)));
  }

  #begin(): string {
    if (this.#hasBegun) return "";
    this.#hasBegun = true;
    const { id, model, request } = this.#frame;
    const message = {
      id,
      type: "message",
      role: "assistant",
      model: model.modelId,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: anthropicUsage(request.promptTokenIds.length, 0, 0),
    };
    return namedEvent({ type: "message_start", message });
  }

  #token({ text, toolCalls, finish, stopString }: TokenOutput): string {
    this.#tokenCount += 1;
    let out = "";
    if (text !== "") {
      if (!this.#isTextOpen) {
        this.#isTextOpen = true;
        out += this.#start({ type: "text", text: "" });
      }
      out += this.#delta({ type: "text_delta", text });
    }
    for (const { id, name, arguments: written } of toolCalls) {
      out += this.#closeText() + this.#start({ type: "tool_use", id, name, input: {} });
      out += this.#delta({ type: "input_json_delta", partial_json: written }) + this.#stop();
    }
    if (finish !== undefined) {
      this.#finish = finish;
      this.#stopString = stopString;
    }
    return out;
  }

  #end(cachedTokenCount: number): string {
    const { request } = this.#frame;
    // Clients read the first block of every answer.
    const empty = this.#blockCount === 0 && !this.#isTextOpen ? this.#start({ type: "text", text: "" }) : "";
    if (empty !== "") this.#isTextOpen = true;
    const usage = anthropicUsage(request.promptTokenIds.length, cachedTokenCount, this.#tokenCount);
    return (
      empty +
      this.#closeText() +
      namedEvent({ type: "message_delta", delta: stopOf(this.#finish, this.#stopString), usage }) +
      namedEvent({ type: "message_stop" })
    );
  }

  #start(block: object): string {
    return namedEvent({ type: "content_block_start", index: this.#blockCount, content_block: block });
  }

  #delta(delta: object): string {
    return namedEvent({ type: "content_block_delta", index: this.#blockCount, delta });
  }

  #stop(): string {
    const index = this.#blockCount++;
    return namedEvent({ type: "content_block_stop", index });
  }

  #closeText(): string {
    if (!this.#isTextOpen) return "";
    this.#isTextOpen = false;
    return this.#stop();
  }
}
