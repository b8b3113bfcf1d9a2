import { create } from "@bufbuild/protobuf";
import { assertNever, type RequestEvent } from "@drover/core";
import { FarewellSchema, type WorkerMessage as Message, StepEventsSchema, WorkerMessageSchema } from "@drover/proto";
import { requestEventFromWire, requestEventToWire } from "./request-event.ts";
import { type TokenColumns, tokenColumnsFromWire, tokenColumnsToWire } from "./token-columns.ts";

/** What an attention worker says on a router's token stream. */
export type WorkerMessage =
  /** First: which life of which worker answers, and what it serves. Not checked here: the router compares it with what it asked for. */
  | Readonly<{ kind: "hello"; workerId: string; incarnation: string; modelId: string }>
  /** What one step has told of all of this router's requests, of each attempt in this order. Only `events` for a router that takes no columns. */
  | Readonly<{
      kind: "step";
      events: readonly RequestEvent[];
      tokens: TokenColumns | undefined;
      ends: readonly RequestEvent[];
    }>
  /** Last: the worker ends, and holds nothing of this router any more. */
  | Readonly<{ kind: "farewell" }>;

export function workerMessageToWire(message: WorkerMessage): Message {
  switch (message.kind) {
    case "hello": {
      const { workerId, incarnation, modelId } = message;
      return create(WorkerMessageSchema, { message: { case: "hello", value: { workerId, incarnation, modelId } } });
    }
    case "step": {
      const step = create(StepEventsSchema);
      step.events = message.events.map(requestEventToWire);
      if (message.tokens !== undefined) step.tokens = tokenColumnsToWire(message.tokens);
      step.ends = message.ends.map(requestEventToWire);
      return create(WorkerMessageSchema, { message: { case: "step", value: step } });
    }
    case "farewell":
      return create(WorkerMessageSchema, { message: { case: "farewell", value: create(FarewellSchema) } });
    default:
      return assertNever(message);
  }
}

/** Undefined for a message that only later builds know: it is passed over, and so are such events. Errors: `invalid_argument`, naming the field. */
export function workerMessageFromWire({ message }: Message): WorkerMessage | undefined {
  switch (message.case) {
    case "hello": {
      const { workerId, incarnation, modelId } = message.value;
      return { kind: "hello", workerId, incarnation, modelId };
    }
    case "step": {
      const { events, tokens, ends } = message.value;
      return {
        kind: "step",
        events: events.flatMap((event) => requestEventFromWire(event) ?? []),
        tokens: tokens && tokenColumnsFromWire(tokens),
        ends: ends.flatMap((event) => requestEventFromWire(event) ?? []),
      };
    }
    case "farewell":
      return { kind: "farewell" };
    case undefined:
      return undefined;
    default:
      return assertNever(message);
  }
}
