import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { DroverError } from "@drover/core";
import type { ModelFacts } from "@drover/openai";
import { inferApi, publicApi } from "@drover/proto";
import type { BodyQuery, BodyReader } from "../bodies/body-reader.ts";
import { readChatMessage, readGenerateMessage, readTokenizeMessage, tokenizeModel } from "./grpc-requests.ts";
import { readInferMessage } from "./infer/infer-requests.ts";
import { checkMessageExtent } from "./message-extent.ts";

/** A method's path, as calls name it. */
export const messagePath = (method: { readonly name: string }): string =>
  `/${publicApi.Inference.typeName}/${method.name}`;

/** The same of a method of KServe's protocol. */
export const inferPath = (method: { readonly name: string }): string =>
  `/${inferApi.GRPCInferenceService.typeName}/${method.name}`;

const { chat, generate, tokenize } = publicApi.Inference.method;
const { modelInfer, modelStreamInfer } = inferApi.GRPCInferenceService.method;

/** How the messages of the gRPC interface are read, by their methods' paths: on the event loop and on threads alike. */
export const MESSAGE_READERS: readonly (readonly [path: string, reader: BodyReader])[] = [
  [
    messagePath(chat),
    reader(publicApi.ChatRequestSchema, {
      read: (message, facts) => [readChatMessage(message, facts)],
      modelOf: ({ model }) => model,
      isConstrained: ({ options, tools, toolChoice }) =>
        options?.constraint !== undefined || tools.some((tool) => tool.includes('"strict"')) || toolChoice !== "",
    }),
  ],
  [
    messagePath(generate),
    reader(publicApi.GenerateRequestSchema, {
      read: (message, facts) => [readGenerateMessage(message, facts)],
      modelOf: ({ model }) => model,
      isConstrained: ({ options }) => options?.constraint !== undefined,
    }),
  ],
  [
    messagePath(tokenize),
    reader(publicApi.TokenizeRequestSchema, {
      read: (message, facts) => ({ prompt: readTokenizeMessage(message, facts) }),
      modelOf: tokenizeModel,
      isConstrained: () => false,
    }),
  ],
  ...[modelInfer, modelStreamInfer].map(
    (method) =>
      [
        inferPath(method),
        reader(inferApi.ModelInferRequestSchema, {
          read: (message, facts) => readInferMessage(message, facts, method === modelStreamInfer),
          modelOf: ({ modelName }) => modelName,
          isConstrained: ({ inputs, parameters }) =>
            inputs.some(({ name }) => name === "sampling_parameters") ||
            Object.keys(parameters).some((name) =>
              /^(guided_|structured|response_|json|regex|grammar|ebnf)/.test(name),
            ),
        }),
      ] as const,
  ),
];

type MessageReader<Message> = Readonly<{
  read: (message: Message, facts: ModelFacts) => BodyQuery;
  modelOf: (message: Message) => string;
  isConstrained: (message: Message) => boolean;
}>;

function reader<Schema extends DescMessage>(schema: Schema, own: MessageReader<MessageShape<Schema>>): BodyReader {
  const message = (body: unknown) => body as MessageShape<Schema>;
  return {
    parse: (bytes) => decodedMessage(schema, bytes),
    read: (body, facts) => own.read(message(body), facts),
    // A name that is empty is none.
    modelOf: (body) => own.modelOf(message(body)) || undefined,
    isConstrained: (body) => own.isConstrained(message(body)),
  };
}

/** The message that the bytes are. Errors: `invalid_argument` for bytes that are none, or of too many values. */
export function decodedMessage<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  try {
    checkMessageExtent(schema, bytes);
    return fromBinary(schema, bytes);
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw new DroverError("invalid_argument", `the bytes are no ${schema.typeName}`, { cause });
  }
}
