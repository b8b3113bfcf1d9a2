import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CarriedCallSchema, CarriedReplySchema } from "@drover/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { flatCodec } from "./flat-codec.ts";

const text = fc.oneof(fc.constant(""), fc.string({ maxLength: 200 }), fc.string({ unit: "binary", maxLength: 20 }));
const bytes = fc.uint8Array({ maxLength: 300 });
const id = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const calls = fc
  .record({ id, path: text, request: bytes, traceparent: text, tracestate: text })
  .map((init) => create(CarriedCallSchema, init));
const replies = fc
  .record({
    ...{ id, reply: bytes, errorCode: text, error: text, errorField: text },
    retryAfterMs: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  })
  .map((init) => create(CarriedReplySchema, init));

test("a flat message is written as protobuf-es writes it, and read as protobuf-es reads it, whatever its texts are", () => {
  for (const [schema, messages] of [
    [CarriedCallSchema, calls],
    [CarriedReplySchema, replies],
  ] as const) {
    const codec = flatCodec<typeof CarriedCallSchema | typeof CarriedReplySchema>(schema);
    fc.assert(
      fc.property(messages, (message) => {
        const plain = Buffer.from(toBinary(schema, message));
        expect(codec.serialize(message)).toEqual(plain);
        expect(equals(schema, codec.deserialize(plain), fromBinary(schema, plain))).toBe(true);
      }),
    );
  }
});

test("a message stays what it is when the next one is written", () => {
  const codec = flatCodec(CarriedCallSchema);
  const first = codec.serialize(create(CarriedCallSchema, { id: 1, path: "/a/b" }));
  codec.serialize(create(CarriedCallSchema, { id: 2, path: "/c/d" }));
  expect(codec.deserialize(first)).toMatchObject({ id: 1, path: "/a/b" });
});

test("a text that is no UTF-8 is refused, as protobuf-es does", () => {
  const codec = flatCodec(CarriedCallSchema);
  const broken = Buffer.from([0x12, 1, 0xff]);
  expect(() => fromBinary(CarriedCallSchema, broken)).toThrow();
  expect(() => codec.deserialize(broken)).toThrow();
});
