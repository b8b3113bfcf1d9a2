import type { DescMessage } from "@bufbuild/protobuf";
import { ExpertReplySchema, ExpertRequestSchema } from "@drover/proto";
import { type MessageCodec, plainCodec } from "./message-codec.ts";
import { payloadCodec } from "./payload-codec.ts";

type AnyCodec = MessageCodec<unknown>;

/** Messages that are mostly one field of bytes. */
const PAYLOAD_CODECS: ReadonlyMap<string, AnyCodec> = new Map(
  [ExpertRequestSchema, ExpertReplySchema].map((schema) => [schema.typeName, payloadCodec(schema) as AnyCodec]),
);

/** The codec that all of Drover's processes use for a message. */
export function codecOf(schema: DescMessage): AnyCodec {
  return PAYLOAD_CODECS.get(schema.typeName) ?? (plainCodec(schema) as AnyCodec);
}
