import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ActivationType, ExpertReplySchema, ExpertRequestSchema } from "@drover/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Payload } from "./payload.ts";
import { payloadCodec } from "./payload-codec.ts";

const requestCodec = payloadCodec(ExpertRequestSchema);
const replyCodec = payloadCodec(ExpertReplySchema);

const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const activationType = fc.constantFrom(ActivationType.F32, ActivationType.BF16, ActivationType.UNSPECIFIED);

/** Their lengths take one, two and three bytes. */
const lengths = fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 40_000), fc.nat(5000));

/** Payloads with room, payloads that were sent before, and plain bytes that lie anywhere. */
const rows = fc
  .tuple(lengths, fc.nat(255), fc.constantFrom("payload", "sent", "plain"), fc.nat(7))
  .map(([length, first, how, offset]) => {
    const bytes = Uint8Array.from({ length }, (_, i) => first + 7 * i);
    if (how === "plain") {
      const whole = new Uint8Array(bytes.length + offset);
      whole.set(bytes, offset);
      return whole.subarray(offset);
    }
    const payload = Payload.allocate(bytes.length);
    payload.set(bytes);
    if (how === "sent") payload.behind(1);
    return payload;
  });

const requests = fc
  .record({
    correlationId: uint64,
    layer: uint32,
    activationType,
    experts: fc.array(uint32, { maxLength: 40 }),
    rowCounts: fc.array(uint32, { maxLength: 40 }),
    traceparent: fc.constantFrom("", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    tracestate: fc.string({ maxLength: 30 }),
    rows,
  })
  .map((init) => create(ExpertRequestSchema, init));
const replies = fc
  .record({ correlationId: uint64, activationType, errorCode: fc.string(), errorMessage: fc.string(), rows })
  .map((init) => create(ExpertReplySchema, init));

/** As gRPC hands a message over: behind five bytes in a buffer that begins at an aligned address. */
function received(message: Buffer): Buffer {
  const whole = Buffer.alloc(5 + message.length);
  whole.set(message, 5);
  return whole.subarray(5);
}

test("protobuf-es reads from the codec's bytes what was written, and the codec what protobuf-es writes", () => {
  fc.assert(
    fc.property(requests, (request) => {
      const plain = toBinary(ExpertRequestSchema, request);
      expect(equals(ExpertRequestSchema, requestCodec.deserialize(Buffer.from(plain)), request)).toBe(true);
      const bytes = requestCodec.serialize(request);
      expect(equals(ExpertRequestSchema, fromBinary(ExpertRequestSchema, bytes), request)).toBe(true);
      expect(bytes.length - plain.length).toBeLessThan(8);
    }),
  );
  fc.assert(
    fc.property(replies, (reply) => {
      const plain = toBinary(ExpertReplySchema, reply);
      expect(equals(ExpertReplySchema, replyCodec.deserialize(Buffer.from(plain)), reply)).toBe(true);
      const bytes = replyCodec.serialize(reply);
      expect(equals(ExpertReplySchema, fromBinary(ExpertReplySchema, bytes), reply)).toBe(true);
      expect(bytes.length - plain.length).toBeLessThan(8);
    }),
  );
});

test("the codec's bytes are those of protobuf-es but for zeros that pad the id and the length", () => {
  fc.assert(
    fc.property(requests, (request) => {
      const again = fromBinary(ExpertRequestSchema, requestCodec.serialize(request));
      expect(Buffer.from(toBinary(ExpertRequestSchema, again))).toEqual(
        Buffer.from(toBinary(ExpertRequestSchema, request)),
      );
    }),
  );
});

test("a received payload lies where its numbers can be read, for the first 2^34 messages of a stream", () => {
  const inOrder = fc.tuple(requests, fc.bigInt({ min: 1n, max: 2n ** 34n }));
  fc.assert(
    fc.property(inOrder, ([request, correlationId]) => {
      const message = received(requestCodec.serialize({ ...request, correlationId }));
      const { rows } = requestCodec.deserialize(message);
      expect(rows.length === 0 || rows.byteOffset % 8 === 0).toBe(true);
      expect(rows.length === 0 || rows.buffer === message.buffer).toBe(true);
    }),
  );
});

test("a payload with room is sent from where it lies, once", () => {
  const payload = Payload.allocate(100_000);
  const request = create(ExpertRequestSchema, { correlationId: 1n, rows: payload });
  expect(requestCodec.serialize(request).buffer).toBe(payload.buffer);
  expect(requestCodec.serialize(request).buffer).not.toBe(payload.buffer);
  const other = Payload.allocate(100_000);
  const long = create(ExpertRequestSchema, { correlationId: 1n, tracestate: "x".repeat(1000), rows: other });
  expect(requestCodec.serialize(long).buffer).not.toBe(other.buffer);
  expect(other.subarray(1)).not.toBeInstanceOf(Payload);
});

test("a message that was cut off is refused, or has no payload: never a shorter one", () => {
  fc.assert(
    fc.property(requests, fc.nat(30_000), (request, place) => {
      const bytes = requestCodec.serialize(request);
      const cut = bytes.subarray(0, place % Math.max(1, bytes.length));
      expect(["refused", 0]).toContain(payloadBytes(cut));
    }),
  );
});

function payloadBytes(bytes: Buffer): number | "refused" {
  try {
    return requestCodec.deserialize(bytes).rows.length;
  } catch {
    return "refused";
  }
}
