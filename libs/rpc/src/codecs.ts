import type { DescMessage } from "@bufbuild/protobuf";
import {
  CarriedCallSchema,
  CarriedReplySchema,
  ExpertReplySchema,
  ExpertRequestSchema,
  WorkerMessageSchema,
} from "@drover/proto";
import { flatCodec } from "./flat-codec.ts";
import { type MessageCodec, plainCodec } from "./message-codec.ts";
import { payloadCodec } from "./payload-codec.ts";
import { stepCodec } from "./step-codec.ts";

type AnyCodec = MessageCodec<unknown>;

/** Messages that are exchanged with every step or request: those that are mostly one field of bytes, a step's tokens, and carried calls. */
const QUICK_CODECS: ReadonlyMap<string, AnyCodec> = new Map([
  ...[ExpertRequestSchema, ExpertReplySchema].map(
    (schema) => [schema.typeName, payloadCodec(schema) as AnyCodec] as const,
  ),
  [WorkerMessageSchema.typeName, stepCodec as AnyCodec] as const,
  ...[CarriedCallSchema, CarriedReplySchema].map((schema) => [schema.typeName, flatCodec(schema) as AnyCodec] as const),
]);

/** The codec that all of Drover's processes use for a message. */
export function codecOf(schema: DescMessage): AnyCodec {
  return QUICK_CODECS.get(schema.typeName) ?? (plainCodec(schema) as AnyCodec);
}
