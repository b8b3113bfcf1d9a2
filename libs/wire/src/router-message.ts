import { create } from "@bufbuild/protobuf";
import { assertNever, type RequestId, type Resume, type RouterId, requestId, routerId } from "@drover/core";
import {
  AsksSchema,
  type RouterMessage as Message,
  type Resume as ResumeMessage,
  ResumeSchema,
  RouterMessageSchema,
} from "@drover/proto";

/** What a router says on its token stream to an attention worker. */
export type RouterMessage =
  /** First: who it is, which model it serves, and what it still waits for. */
  | Readonly<{
      kind: "hello";
      routerId: RouterId;
      modelId: string;
      resumes: readonly Resume[];
      /** It reads a step's tokens in columns. */
      tokenColumns: boolean;
    }>
  /** Every attempt of the request up to this one ends. */
  | Readonly<{ kind: "cancel"; requestId: RequestId; attempt: number }>
  /** It waits for these too, which its hello did not name: those that are over there are told of. A build that does not know it passes it over. */
  | Readonly<{ kind: "asks"; resumes: readonly Resume[] }>;

export function routerMessageToWire(message: RouterMessage): Message {
  switch (message.kind) {
    case "hello": {
      const { routerId, modelId, resumes, tokenColumns } = message;
      return create(RouterMessageSchema, {
        message: { case: "hello", value: { routerId, modelId, resumes: resumes.map(resumeToWire), tokenColumns } },
      });
    }
    case "cancel": {
      const { requestId, attempt } = message;
      return create(RouterMessageSchema, { message: { case: "cancel", value: { requestId, attempt } } });
    }
    case "asks": {
      const asks = create(AsksSchema, { resumes: message.resumes.map(resumeToWire) });
      return create(RouterMessageSchema, { message: { case: "asks", value: asks } });
    }
    default:
      return assertNever(message);
  }
}

/** Undefined for a message that only later builds know: it is passed over. Errors: `invalid_argument` for names that are none. */
export function routerMessageFromWire({ message }: Message): RouterMessage | undefined {
  switch (message.case) {
    case "hello": {
      const { modelId, resumes, tokenColumns } = message.value;
      return {
        kind: "hello",
        routerId: routerId(message.value.routerId),
        modelId,
        resumes: resumes.map(resumeFromWire),
        tokenColumns,
      };
    }
    case "cancel":
      return { kind: "cancel", requestId: requestId(message.value.requestId), attempt: message.value.attempt };
    case "asks":
      return { kind: "asks", resumes: message.value.resumes.map(resumeFromWire) };
    case undefined:
      return undefined;
    default:
      return assertNever(message);
  }
}

function resumeToWire(resume: Resume): ResumeMessage {
  return create(ResumeSchema, { ...resume, nextIndices: [...resume.nextIndices] });
}

function resumeFromWire({ attempt, nextIndices, nextPromptPosition, started, ...message }: ResumeMessage): Resume {
  return { requestId: requestId(message.requestId), attempt, nextIndices, nextPromptPosition, started };
}
