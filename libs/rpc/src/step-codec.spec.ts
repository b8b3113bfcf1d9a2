import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FinishReason, type WorkerMessage, WorkerMessageSchema } from "@drover/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stepCodec } from "./step-codec.ts";

const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const column = fc.array(uint32, { maxLength: 200 });
const tokens = fc.record(
  {
    attempts: fc.array(fc.record({ slot: uint32, requestId: fc.uuid(), attempt: uint32 }), { maxLength: 2 }),
    slots: column,
    choices: column,
    indices: column,
    tokenIds: column,
    finishes: fc.array(fc.constantFrom(FinishReason.STOP, FinishReason.UNSPECIFIED), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const events = fc.array(fc.record({ requestId: fc.uuid(), attempt: uint32 }), { maxLength: 1 });
const step = fc.record({ events, tokens, ends: events }, { requiredKeys: [] });
const messages: fc.Arbitrary<WorkerMessage> = fc.oneof(
  step.map((value) => create(WorkerMessageSchema, { message: { case: "step", value } })),
  fc.constant(create(WorkerMessageSchema, { message: { case: "farewell", value: {} } })),
  fc.constant(create(WorkerMessageSchema)),
);

test("a message's bytes are those of protobuf-es, and either reads what the other has written", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const plain = toBinary(WorkerMessageSchema, message);
      const bytes = stepCodec.serialize(message);
      expect(Buffer.compare(bytes, plain)).toBe(0);
      expect(equals(WorkerMessageSchema, fromBinary(WorkerMessageSchema, bytes), message)).toBe(true);
      expect(equals(WorkerMessageSchema, stepCodec.deserialize(Buffer.from(plain)), message)).toBe(true);
    }),
  );
});

test("what was serialized stays as it is when the next message is", () => {
  const of = (slots: number[]) =>
    create(WorkerMessageSchema, { message: { case: "step", value: { tokens: { slots } } } });
  const first = stepCodec.serialize(of([1, 2, 3]));
  const kept = Buffer.from(first);
  stepCodec.serialize(of([9, 9, 9]));
  expect(Buffer.compare(first, kept)).toBe(0);
});

test("bytes are read as protobuf-es reads them, or refused as it refuses them", () => {
  const read = (bytes: Buffer, by: (bytes: Buffer) => WorkerMessage) => {
    try {
      return toBinary(WorkerMessageSchema, by(bytes)).join();
    } catch {
      return "refused";
    }
  };
  const changed = fc
    .tuple(messages, fc.nat(400), fc.integer({ min: 0, max: 255 }), fc.boolean())
    .map(([message, at, byte, isCut]) => {
      const bytes = Buffer.from(toBinary(WorkerMessageSchema, message));
      if (isCut) return bytes.subarray(0, at % (bytes.length + 1));
      if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return bytes;
    });
  fc.assert(
    fc.property(changed, (bytes) => {
      const plain = read(bytes, (each) => fromBinary(WorkerMessageSchema, each));
      expect(read(bytes, stepCodec.deserialize)).toBe(plain);
    }),
  );
});
