import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { describe, expect, test } from "vitest";
import { MESSAGE_VALUES_MAX } from "../limits.ts";
import { checkMessageExtent } from "./message-extent.ts";

const { ChatRequestSchema, GenerateRequestSchema } = publicApi;
const chat = (message: MessageInitShape<typeof ChatRequestSchema>) =>
  checkMessageExtent(ChatRequestSchema, toBinary(ChatRequestSchema, create(ChatRequestSchema, message)));
const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const refusal = /at most 200000 values/;

describe("a message is measured before it is parsed", () => {
  test("texts and messages are counted wherever they are", () => {
    chat({ tools: many(MESSAGE_VALUES_MAX, "{}") });
    expect(() => chat({ tools: many(MESSAGE_VALUES_MAX + 1, "{}") })).toThrow(refusal);
    const parts = many(MESSAGE_VALUES_MAX / 2 + 1, { part: { case: "text", value: "a" } } as const);
    expect(() => chat({ messages: [{ parts }] })).toThrow(refusal);
    expect(() => chat({ options: { stop: many(MESSAGE_VALUES_MAX, "a") } })).toThrow(refusal);
    expect(() => chat({ messages: many(MESSAGE_VALUES_MAX, { role: "user" }) })).toThrow(refusal);
  });

  test("numbers are not", () => {
    const prompt = { case: "tokenIds", value: { ids: many(MESSAGE_VALUES_MAX + 1, 5) } } as const;
    const message = create(GenerateRequestSchema, { prompt });
    checkMessageExtent(GenerateRequestSchema, toBinary(GenerateRequestSchema, message));
  });

  test("bytes that are no message are no crash", () => {
    for (const bytes of [
      [0x0a, 0xff],
      [0x12, 0x05, 0x0a],
      [0xff, 0xff],
    ])
      expect(() => checkMessageExtent(ChatRequestSchema, Uint8Array.from(bytes))).toThrow();
  });
});
