import { PassThrough, Readable } from "node:stream";
import { DroverError } from "@drover/core";
import { describe, expect, it } from "vitest";
import type { Message } from "./chat-client.ts";
import { Conversation } from "./conversation.ts";
import { converse } from "./converse.ts";

/** Answers with the number of messages that it was sent; a question "fail" is refused. */
const client = {
  async *stream(_model: string, messages: readonly Message[]) {
    if (messages.at(-1)?.content === "fail") throw new DroverError("overloaded", "too many requests");
    yield { text: `${messages.length} ` };
    yield { text: "messages" };
  },
};

async function talk(text: string) {
  const [output, errors] = [new PassThrough(), new PassThrough()];
  await converse(new Conversation(client, "nano"), { input: Readable.from([text]), output, errors });
  return { output: String(output.read() ?? ""), errors: String(errors.read() ?? "") };
}

describe("converse", () => {
  it("answers every line of an input that ends while it answers, with nothing but the answers", async () => {
    expect((await talk("one\n\ntwo\nthree")).output).toBe("1 messages\n3 messages\n5 messages\n");
  });

  it("begins anew after /reset", async () => {
    expect((await talk("one\n/reset\ntwo\n")).output).toBe("1 messages\n1 messages\n");
  });

  it("says why there is no answer and goes on", async () => {
    const { output, errors } = await talk("fail\none\n");
    expect(errors).toBe("drover: too many requests\n");
    expect(output).toBe("\n1 messages\n");
  });

  it("takes several lines between fences as one question, and commands as no question", async () => {
    const { output, errors } = await talk('"""\none\ntwo\n"""\n/help\n/unknown\n/set temperature hot\n/bye\nthree\n');
    expect(output.startsWith("1 messages\n/image FILE")).toBe(true);
    expect(output).not.toContain("3 messages");
    expect(errors.split("\n").map((line) => line.slice(0, 27))).toEqual([
      "drover: there is no /unknow",
      "drover: temperature takes a",
      "",
    ]);
  });
});
