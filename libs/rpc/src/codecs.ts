import type { DescMessage } from "@bufbuild/protobuf";
import { ExpertReplySchema, ExpertRequestSchema, WorkerMessageSchema } from "@drover/proto";
import { type MessageCodec, plainCodec } from "./message-codec.ts";
import { payloadCodec } from "./payload-codec.ts";
import { stepCodec } from "./step-codec.ts";

type AnyCodec = MessageCodec<unknown>;

/** Messages that are exchanged with every step: those that are mostly one field of bytes, and a step's tokens. */
const STEP_CODECS: ReadonlyMap<string, AnyCodec> = new Map([
  ...[ExpertRequestSchema, ExpertReplySchema].map(
    (schema) => [schema.typeName, payloadCodec(schema) as AnyCodec] as const,
  ),
  [WorkerMessageSchema.typeName, stepCodec as AnyCodec] as const,
]);

/** The codec that all of Drover's processes use for a message. */
export function codecOf(schema: DescMessage): AnyCodec {
  return STEP_CODECS.get(schema.typeName) ?? (plainCodec(schema) as AnyCodec);
}
