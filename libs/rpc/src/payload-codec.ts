import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { assert, at } from "@drover/core";
import { flatMessage } from "./flat-message.ts";
import type { MessageCodec } from "./message-codec.ts";
import { Payload } from "./payload.ts";
import { varintBytes, writeVarint } from "./varint.ts";

/** A message whose first field tells it apart, and whose last is its payload. */
type PayloadMessage = Readonly<{ correlationId: bigint; rows: Uint8Array }>;

const EMPTY = new Uint8Array(0);
/** Where gRPC's own header ends in the buffer from which a message is read. */
const GRPC_HEADER_BYTES = 5;
const ALIGN_BYTES = 8;
const BYTES_WIRE_TYPE = 2;
const ID_TAG = 1 << 3;
/** A length is read as 32 bits and an id as 64, seven a byte. */
const LENGTH_BYTES_MAX = 5;
const ID_BYTES_MAX = 10;

/**
 * The codec of messages that are mostly one field of bytes. It writes what protobuf-es writes, but copies no payload
 * that has room before it ({@link Payload}) and any other once. A payload begins where the receiver can read its
 * numbers as they lie: for that the id and the payload's length take up to 7 bytes more than they need, as protobuf
 * allows. Reading copies nothing, and throws for bytes that are no such message: protobuf-es does, which reads whatever is not flat ({@link flatMessage}).
 */
export function payloadCodec<D extends DescMessage>(schema: D): MessageCodec<MessageShape<D>> {
  const numbers = schema.fields.map((field) => field.number);
  const payload = schema.fields.find((field) => field.localName === "rows");
  assert(schema.field.correlationId?.number === 1, "the id is a message's first field");
  assert(
    payload?.number === Math.max(...numbers) && payload.number < 16,
    "the payload is its last, with a tag of one byte",
  );
  const tag = (payload.number << 3) | BYTES_WIRE_TYPE;
  const flat = flatMessage(schema);
  assert(flat !== undefined, "a message with a payload has numbers and texts beside it");
  return {
    serialize: (message) => {
      const { rows } = message as MessageShape<D> & PayloadMessage;
      const rest = flat.write(message, "rows");
      if (rest === undefined) return withPayload(toBinary(schema, { ...message, rows: EMPTY }), tag, rows);
      // The next message is written where this one's fields are.
      return rows.length === 0 ? Buffer.from(rest) : withPayload(rest, tag, rows);
    },
    deserialize: (bytes) => flat.read(bytes) ?? fromBinary(schema, bytes),
  };
}

/** The rest of a message, which begins with its id, and then its payload. */
function withPayload(rest: Uint8Array, tag: number, rows: Uint8Array): Buffer {
  if (rows.length === 0) return Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength);
  const idEnd = rest[0] === ID_TAG ? varintEnd(rest, 1) : 0;
  const lengthBytes = varintBytes(rows.length);
  const shortest = rest.length + 1 + lengthBytes;
  const pad = (ALIGN_BYTES - ((GRPC_HEADER_BYTES + shortest) % ALIGN_BYTES)) % ALIGN_BYTES;
  const lengthPad = Math.min(pad, LENGTH_BYTES_MAX - lengthBytes);
  const idPad = idEnd === 0 ? 0 : Math.min(pad - lengthPad, ID_BYTES_MAX - (idEnd - 1));
  const message = behind(shortest + lengthPad + idPad, rows);
  message.set(rest.subarray(0, idEnd));
  let end = widen(message, idEnd, idPad);
  message.set(rest.subarray(idEnd), end);
  end += rest.length - idEnd;
  message[end] = tag;
  end = writeVarint(message, end + 1, rows.length);
  widen(message, end, lengthPad);
  return message;
}

/** `byteCount` bytes to write to, and the payload behind them. */
function behind(byteCount: number, rows: Uint8Array): Buffer {
  const whole = rows instanceof Payload ? rows.behind(byteCount) : undefined;
  if (whole !== undefined) return whole;
  const copy = Buffer.allocUnsafe(byteCount + rows.length);
  copy.set(rows, byteCount);
  return copy;
}

/** Where the varint ends that begins at `start`. */
function varintEnd(bytes: Uint8Array, start: number): number {
  let end = start;
  while (at(bytes, end) >= 0x80) end += 1;
  return end + 1;
}

/** Makes the varint before `end` longer by bytes that add nothing to its value; returns its new end. */
function widen(bytes: Uint8Array, end: number, byteCount: number): number {
  if (byteCount === 0) return end;
  bytes[end - 1] = at(bytes, end - 1) + 0x80;
  bytes.fill(0x80, end, end + byteCount - 1);
  bytes[end + byteCount - 1] = 0;
  return end + byteCount;
}
