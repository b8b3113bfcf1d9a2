import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { DroverError } from "@drover/core";
import type { Conversation } from "./conversation.ts";

export type Terminal = Readonly<{ input: Readable; output: Writable; errors: Writable }>;

/**
 * Answers each line of the input until it ends. `/reset` begins anew; Ctrl-C stops an answer, or ends where there is none. A prompt is
 * shown only to a person.
 */
export async function converse(conversation: Conversation, { input, output, errors }: Terminal): Promise<void> {
  const isPerson = "isTTY" in input && input.isTTY === true;
  const lines = createInterface({ input, terminal: isPerson, prompt: "> ", ...(isPerson ? { output } : {}) });
  let answering: AbortController | undefined;
  let isOpen = true;
  lines.once("close", () => {
    isOpen = false;
  });
  lines.on("SIGINT", () => {
    if (answering === undefined) lines.close();
    else answering.abort(new DroverError("cancelled", "the answer was interrupted"));
  });
  const prompt = () => {
    if (isPerson && isOpen) lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    if (line.trim() === "/reset") conversation.reset();
    else if (line.trim() !== "") {
      answering = new AbortController();
      await answerLine(conversation, line, { output, errors }, answering.signal);
      answering = undefined;
    }
    prompt();
  }
}

/** What goes wrong with one answer ends neither the input nor the conversation. */
async function answerLine(
  conversation: Conversation,
  line: string,
  { output, errors }: Pick<Terminal, "output" | "errors">,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const text of conversation.ask(line, signal)) output.write(text);
  } catch (error) {
    if (!signal.aborted) {
      if (!(error instanceof DroverError)) throw error;
      errors.write(`drover: ${error.message}\n`);
    }
  }
  output.write("\n");
}
