import { create } from "@bufbuild/protobuf";
import {
  assertNever,
  at,
  errorCode,
  type GenerationEvent,
  type PromptEvent,
  type RankedToken,
  type RequestEvent,
  requestId,
  type TokenEvent,
} from "@drover/core";
import {
  DoneSchema,
  FailedSchema,
  type RequestEvent as Message,
  type PromptInfo,
  PromptInfoSchema,
  RequestEventSchema,
  StartedSchema,
  TokenEventSchema,
  type TokenEvent as TokenMessage,
  type TopLogprobs,
  TopLogprobsSchema,
  FinishReason as WireFinish,
} from "@drover/proto";
import { enumNameFromWire } from "./enum-name.ts";
import { FINISH_REASONS } from "./finish-reasons.ts";
import { u16FromWire, u16ToWire } from "./numbers.ts";
import { wireFault } from "./wire-fault.ts";

export function requestEventToWire({ requestId, attempt, event }: RequestEvent): Message {
  const message = create(RequestEventSchema, { requestId, attempt });
  message.event = eventToWire(event);
  return message;
}

/** Undefined for an event that only later builds know: it is passed over. Errors: `invalid_argument`, naming the field. */
export function requestEventFromWire(message: Message): RequestEvent | undefined {
  const event = eventFromWire(message.event);
  return event && { requestId: requestId(message.requestId), attempt: message.attempt, event };
}

function eventToWire(event: GenerationEvent): Message["event"] {
  switch (event.kind) {
    case "started":
      return { case: "started", value: create(StartedSchema, { startIndices: [...event.startIndices] }) };
    case "prompt":
      return { case: "prompt", value: promptToWire(event) };
    case "token":
      return { case: "token", value: tokenToWire(event) };
    case "failed": {
      const { kind: _, ...failed } = event;
      return { case: "failed", value: create(FailedSchema, failed) };
    }
    case "done":
      return { case: "done", value: create(DoneSchema, { cachedTokenCount: event.cachedTokenCount }) };
    default:
      return assertNever(event);
  }
}

function eventFromWire(event: Message["event"]): GenerationEvent | undefined {
  switch (event.case) {
    case "started":
      return { kind: "started", startIndices: event.value.startIndices };
    case "prompt":
      return promptFromWire(event.value);
    case "token":
      return tokenFromWire(event.value);
    case "failed": {
      const { code, message, retryable, handedBack } = event.value;
      return { kind: "failed", code: errorCode(code), message, retryable, handedBack };
    }
    case "done":
      return { kind: "done", cachedTokenCount: event.value.cachedTokenCount };
    case undefined:
      return undefined;
    default:
      return assertNever(event);
  }
}

function promptToWire({ start, count, logprobs, tops, experts }: PromptEvent): PromptInfo {
  return create(PromptInfoSchema, {
    start,
    count,
    logprobs: [...logprobs],
    tops: tops.map(topToWire),
    experts: u16ToWire(experts),
  });
}

function promptFromWire(message: PromptInfo): PromptEvent {
  const { start, count, logprobs, tops } = message;
  const experts = u16FromWire(message.experts, "prompt.experts");
  for (const [field, length] of [
    ["prompt.logprobs", logprobs.length],
    ["prompt.tops", tops.length],
  ] as const)
    if (length !== 0 && length !== count) throw wireFault(field, `has ${length} entries for ${count} positions`);
  if (count === 0 ? experts.length > 0 : experts.length % count !== 0)
    throw wireFault("prompt.experts", `has ${experts.length} entries for ${count} positions`);
  return { kind: "prompt", start, count, logprobs, tops: tops.map((top) => topFromWire(top, "prompt.tops")), experts };
}

function tokenToWire({ kind: _, top, experts, finish, ...token }: TokenEvent): TokenMessage {
  const message = create(TokenEventSchema, token);
  if (finish !== undefined) message.finish = FINISH_REASONS[finish];
  if (top.length > 0) message.top = topToWire(top);
  if (experts.length > 0) message.experts = u16ToWire(experts);
  return message;
}

function tokenFromWire({ choice, index, tokenId, logprob, top, experts, finish }: TokenMessage): TokenEvent {
  return {
    kind: "token",
    choice,
    index,
    tokenId,
    logprob,
    top: top === undefined ? [] : topFromWire(top, "token.top"),
    experts: u16FromWire(experts, "token.experts"),
    finish: finish === WireFinish.UNSPECIFIED ? undefined : enumNameFromWire(FINISH_REASONS, finish, "token.finish"),
  };
}

function topToWire(top: readonly RankedToken[]): TopLogprobs {
  return create(TopLogprobsSchema, {
    tokenIds: top.map(({ tokenId }) => tokenId),
    logprobs: top.map(({ logprob }) => logprob),
  });
}

function topFromWire({ tokenIds, logprobs }: TopLogprobs, field: string): RankedToken[] {
  if (tokenIds.length !== logprobs.length)
    throw wireFault(field, `has ${logprobs.length} log-probabilities for ${tokenIds.length} tokens`);
  return tokenIds.map((tokenId, i) => ({ tokenId, logprob: at(logprobs, i) }));
}
