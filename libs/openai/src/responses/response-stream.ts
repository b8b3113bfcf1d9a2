import type { DroverError } from "@drover/core";
import { Type } from "typebox";
import type { FinishReason, Output, TokenLogprob, TokenOutput, ToolCall } from "../text/output.ts";
import { errorReply, publicError } from "../write/error.ts";
import { chatLogprobs } from "../write/logprobs.ts";
import { obfuscationOf } from "../write/obfuscation.ts";
import { namedEvent, type ReplyFrame, type ReplyStream } from "../write/reply-frame.ts";
import type { KeptResponse } from "./kept-response.ts";
import {
  begunResponse,
  endedResponse,
  functionCall,
  itemId,
  keptResponse,
  messageItem,
  type OutputItem,
  pendingResponse,
  type ResponseObject,
} from "./response.ts";

/** The data of one event of a streamed response. */
export const ResponseEvent = Type.Object(
  {
    type: Type.Enum([
      "response.created",
      "response.queued",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.completed",
      "response.incomplete",
      "response.failed",
    ]),
    sequence_number: Type.Integer({ description: "Counts the events of a stream from 0." }),
  },
  { description: "As OpenAI's events are: what comes beside these depends on `type`." },
);

/** A streamed response: its beginning, each item from its first sign to its end, and the whole of it at last. */
export class ResponseReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  readonly #items: OutputItem[] = [];
  /** Of the tokens whose text was given, in deltas or about to be. */
  readonly #logprobs: TokenLogprob[] = [];
  readonly #unshown: TokenLogprob[] = [];
  #toldCount = 0;
  #sequence = 0;
  /** Text of the message that is open; undefined before it and after its end. */
  #text: string | undefined;
  #hasBegun = false;
  #tokenCount = 0;
  #finish: FinishReason = "length";
  #response: ResponseObject | undefined;

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
  }

  get kept(): KeptResponse | undefined {
    return this.#response && keptResponse(this.#frame, this.#response);
  }

  push(output: Output): string {
    if (output.kind === "prompt") return "";
    const begin = this.#begin();
    return begin + (output.kind === "token" ? this.#token(output) : this.#end(output.cachedTokenCount));
  }

  fail(error: DroverError): string {
    const { code, message } = errorReply(publicError(error)).error;
    const isCancelled = this.#frame.options.background === true && code === "cancelled";
    const response: ResponseObject = {
      ...begunResponse(this.#frame),
      status: isCancelled ? "cancelled" : "failed",
      error: isCancelled ? null : { code, message },
      output: this.#items,
    };
    this.#response = response;
    return this.#event("response.failed", { response });
  }

  #begin(): string {
    if (this.#hasBegun) return "";
    this.#hasBegun = true;
    const response = begunResponse(this.#frame);
    const isLater = this.#frame.options.background === true;
    const queued = { response: isLater ? pendingResponse(this.#frame, "queued") : response };
    return (
      this.#event("response.created", queued) +
      (isLater ? this.#event("response.queued", queued) : "") +
      this.#event("response.in_progress", { response })
    );
  }

  #token({ text, toolCalls, logprob, shownCount, finish }: TokenOutput): string {
    this.#tokenCount += 1;
    if (finish !== undefined) this.#finish = finish;
    if (logprob !== undefined) this.#unshown.push(logprob);
    this.#logprobs.push(...this.#unshown.splice(0, shownCount));
    let out = "";
    if (text !== "") out += this.#say(text);
    for (const call of toolCalls) out += this.#closeMessage("stop") + this.#call(call);
    return out;
  }

  #say(text: string): string {
    const opening = this.#text === undefined ? this.#openMessage() : "";
    this.#text = (this.#text ?? "") + text;
    const logprobs = chatLogprobs(this.#logprobs.slice(this.#toldCount), this.#frame.model.tokenizer).content;
    this.#toldCount = this.#logprobs.length;
    return opening + this.#event("response.output_text.delta", { ...this.#place, delta: text, logprobs });
  }

  /** Of the message's text, which is its only part. */
  get #place() {
    return { item_id: itemId("msg", this.#frame.id, 0), output_index: this.#items.length, content_index: 0 };
  }

  #openMessage(): string {
    this.#text = "";
    const item = { id: itemId("msg", this.#frame.id, 0), type: "message", role: "assistant", status: "in_progress" };
    const part = { type: "output_text", text: "", annotations: [], logprobs: [] };
    return (
      this.#event("response.output_item.added", { output_index: this.#items.length, item: { ...item, content: [] } }) +
      this.#event("response.content_part.added", { ...this.#place, part })
    );
  }

  #closeMessage(finish: FinishReason): string {
    if (this.#text === undefined) return "";
    const item = messageItem(this.#frame, this.#text, this.#logprobs, finish);
    const [part] = item.type === "message" ? item.content : [];
    const out =
      this.#event("response.output_text.done", { ...this.#place, text: this.#text, logprobs: part?.logprobs }) +
      this.#event("response.content_part.done", { ...this.#place, part }) +
      this.#event("response.output_item.done", { output_index: this.#items.length, item });
    this.#text = undefined;
    this.#items.push(item);
    return out;
  }

  #call(call: ToolCall): string {
    const index = this.#items.filter(({ type }) => type === "function_call").length;
    const item = functionCall(this.#frame.id, index, call);
    const place = { item_id: item.id, output_index: this.#items.length };
    const { output_index } = place;
    const open = { ...item, arguments: "", status: "in_progress" };
    const out =
      this.#event("response.output_item.added", { output_index, item: open }) +
      this.#event("response.function_call_arguments.delta", { ...place, delta: call.arguments }) +
      this.#event("response.function_call_arguments.done", { ...place, name: call.name, arguments: call.arguments }) +
      this.#event("response.output_item.done", { output_index, item });
    this.#items.push(item);
    return out;
  }

  #end(cached: number): string {
    const isSilent = this.#items.length === 0 && this.#text === undefined;
    const out = (isSilent ? this.#openMessage() : "") + this.#closeMessage(this.#finish);
    const counts = { cached, generated: this.#tokenCount };
    const response = endedResponse(this.#frame, [...this.#items], this.#finish, counts);
    this.#response = response;
    return out + this.#event(`response.${response.status}`, { response });
  }

  #event(type: string, fields: Readonly<Record<string, unknown>>): string {
    const said = { type, sequence_number: this.#sequence++, ...fields };
    const isFilled = this.#frame.options.obfuscates === true && type.endsWith(".delta");
    return namedEvent(isFilled ? { ...said, obfuscation: obfuscationOf(said) } : said);
  }
}
