import { type DescMessage, type DescService, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** A message's own codec, where protobuf-es copies too much. Wire-compatible. */
export interface MessageCodec<T> {
  serialize(value: T): Buffer;
  deserialize(bytes: Buffer): T;
}

/** The plain codec of protobuf-es. */
export function messageCodec<D extends DescMessage>(schema: D): MessageCodec<MessageShape<D>> {
  return {
    serialize: (value) => {
      const bytes = toBinary(schema, value);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes) => fromBinary(schema, bytes),
  };
}

/** grpc-js's description of a service: `/package.Service/Method` with protobuf-es as codec, or the given codecs by message type name. */
export function serviceDefinition(
  service: DescService,
  codecs: Readonly<Record<string, MessageCodec<unknown>>> = {},
): ServiceDefinition {
  const codec = (schema: DescMessage) => codecs[schema.typeName] ?? (messageCodec(schema) as MessageCodec<unknown>);
  const methods: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const method of service.methods) {
    const input = codec(method.input);
    const output = codec(method.output);
    methods[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: input.serialize,
      requestDeserialize: input.deserialize,
      responseSerialize: output.serialize,
      responseDeserialize: output.deserialize,
    };
  }
  return methods;
}
