import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { assert } from "@drover/core";
import { StepEventsSchema, TokenColumnsSchema, type WorkerMessage, WorkerMessageSchema } from "@drover/proto";
import { flatMessage } from "./flat-message.ts";
import type { MessageCodec } from "./message-codec.ts";
import { varintBytes, writeVarint } from "./varint.ts";

const BYTES_WIRE_TYPE = 2;
const STEP_TAG = (WorkerMessageSchema.field.step.number << 3) | BYTES_WIRE_TYPE;
const TOKENS_TAG = (StepEventsSchema.field.tokens.number << 3) | BYTES_WIRE_TYPE;
const columns = flatMessage(TokenColumnsSchema);
assert(columns !== undefined && STEP_TAG < 0x80 && TOKENS_TAG < 0x80, "tokens are lists of numbers, a tag is one byte");

/**
 * The codec of what a worker says to a router. It writes what protobuf-es writes. A step in which running requests have got a token each, and nothing
 * else, is written and read without looking up a field; anything else is left to protobuf-es. Errors: as protobuf-es.
 */
export const stepCodec: MessageCodec<WorkerMessage> = {
  serialize: (message) => writeStep(message) ?? viewed(toBinary(WorkerMessageSchema, message)),
  deserialize: (bytes) => readStep(bytes) ?? fromBinary(WorkerMessageSchema, bytes),
};

function writeStep({ message, $unknown }: WorkerMessage): Buffer | undefined {
  if (message.case !== "step" || $unknown !== undefined) return undefined;
  const { events, tokens, ends, $unknown: later } = message.value;
  if (events.length > 0 || ends.length > 0 || tokens === undefined || later !== undefined) return undefined;
  const written = columns?.write(tokens);
  if (written === undefined) return undefined;
  const stepBytes = 1 + varintBytes(written.length) + written.length;
  const bytes = Buffer.allocUnsafe(1 + varintBytes(stepBytes) + stepBytes);
  bytes[0] = STEP_TAG;
  let end = writeVarint(bytes, 1, stepBytes);
  bytes[end] = TOKENS_TAG;
  end = writeVarint(bytes, end + 1, written.length);
  bytes.set(written, end);
  return bytes;
}

function readStep(bytes: Buffer): WorkerMessage | undefined {
  const step = onlyField(bytes, STEP_TAG);
  const tokens = step && onlyField(step, TOKENS_TAG);
  const read = tokens && columns?.read(tokens);
  if (read === undefined) return undefined;
  const value = { $typeName: StepEventsSchema.typeName, events: [], tokens: read, ends: [] };
  return { $typeName: WorkerMessageSchema.typeName, message: { case: "step", value } };
}

/** What is in a message's field where it is the only one, and given once; undefined for any other bytes. */
function onlyField(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  if (bytes[0] !== tag) return undefined;
  let length = 0;
  let at = 1;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = bytes[at++];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * scale;
    if (length > bytes.length) return undefined;
    if (byte < 0x80) break;
  }
  return at + length === bytes.length ? bytes.subarray(at) : undefined;
}

function viewed(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
