import { neverAborted } from "@drover/core";
import { describe, expect, it } from "vitest";
import { CHAT_MESSAGES_MAX } from "../limits.ts";
import type { Message } from "./chat-client.ts";
import { Conversation } from "./conversation.ts";

function converse(system?: string, pictures?: readonly string[]) {
  const asked: Message[][] = [];
  let broken = false;
  const client = {
    async *stream(_model: string, messages: readonly Message[]) {
      asked.push([...messages]);
      yield { text: "an" };
      if (broken) throw new Error("broken");
      yield { text: "swer" };
      yield { tokenCount: 2 };
    },
  };
  const conversation = new Conversation(client, "nano", { system, ...(pictures && { pictures }) });
  const ask = (question: string) => Array.fromAsync(conversation.ask(question, neverAborted));
  const breakNow = (value: boolean) => {
    broken = value;
  };
  return { conversation, asked, ask, breakNow };
}

describe("Conversation", () => {
  it("sends the system message and all that was said with each question", async () => {
    const { ask, asked } = converse("Be brief.");
    expect(await ask("one")).toEqual(["an", "swer"]);
    await ask("two");
    expect(asked[1]).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "one" },
      { role: "assistant", content: "answer" },
      { role: "user", content: "two" },
    ]);
  });

  it("shows its pictures with the first question, and again after a reset", async () => {
    const { conversation, ask, asked } = converse(undefined, ["data:,a", "data:,b"]);
    await ask("one");
    await ask("two");
    conversation.reset();
    await ask("three");
    const seen = (text: string) => [
      { type: "image_url", image_url: { url: "data:,a" } },
      { type: "image_url", image_url: { url: "data:,b" } },
      { type: "text", text },
    ];
    expect(asked.map((messages) => messages.at(-1)?.content)).toEqual([seen("one"), "two", seen("three")]);
  });

  it("shows a picture that is added with the next question that is answered, and counts the answer's tokens", async () => {
    const { conversation, ask, asked, breakNow } = converse();
    await ask("one");
    expect(conversation.lastTokenCount).toBe(2);
    conversation.show("data:,a");
    breakNow(true);
    await expect(ask("two")).rejects.toThrow("broken");
    breakNow(false);
    await ask("three");
    await ask("four");
    const picture = { type: "image_url", image_url: { url: "data:,a" } };
    expect(asked.slice(2).map((messages) => messages.at(-1)?.content)).toEqual([
      [picture, { type: "text", text: "three" }],
      "four",
    ]);
  });

  it("forgets a question whose answer broke off", async () => {
    const { ask, asked, breakNow } = converse();
    breakNow(true);
    await expect(ask("one")).rejects.toThrow("broken");
    breakNow(false);
    await ask("two");
    expect(asked[1]).toEqual([{ role: "user", content: "two" }]);
  });

  it("begins anew after a reset", async () => {
    const { conversation, ask, asked } = converse();
    await ask("one");
    conversation.reset();
    await ask("two");
    expect(asked[1]).toHaveLength(1);
  });

  it("never remembers more than its limit, and begins with a question", async () => {
    const { ask, asked } = converse();
    for (let index = 0; index <= CHAT_MESSAGES_MAX / 2 + 1; index++) await ask(`question ${index}`);
    expect(asked.at(-1)).toHaveLength(CHAT_MESSAGES_MAX + 1);
    expect(asked.at(-1)?.[0]?.role).toBe("user");
  });
});
