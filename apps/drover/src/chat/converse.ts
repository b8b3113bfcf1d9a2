import { statSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { type Clock, DroverError, systemClock } from "@drover/core";
import { readChatLine } from "./chat-line.ts";
import { SETTING_NAMES } from "./chat-settings.ts";
import type { Conversation } from "./conversation.ts";
import { lineBlocks } from "./line-blocks.ts";
import { pictureUrl } from "./picture.ts";

export type Terminal = Readonly<{ input: Readable; output: Writable; errors: Writable; clock?: Clock }>;

const HELP = `/image FILE      show a picture with the next question; a file that is dropped here is one too
/set NAME VALUE  ${SETTING_NAMES.join(", ")}; without a value as the server has it
/set             the settings
/system TEXT     what the system says; begins a new conversation
/reset           begin a new conversation
/bye             end; Ctrl-D does too
"""              begins and ends a question of several lines; pasted lines are one question
//               begins a question that begins with a slash
Ctrl-C           stop an answer, or clear the line
`;

const WAITING = "… ";
const ERASE_LINE = "\r\u001b[K";

/**
 * Answers each line of the input until it ends. What a person sees besides the answers (a prompt, a sign of waiting, how fast it was) is not written
 * where the input is no terminal. What goes wrong with one answer ends neither the input nor the conversation.
 */
export async function converse(conversation: Conversation, terminal: Terminal): Promise<void> {
  const { input, output, clock = systemClock } = terminal;
  const isPerson = "isTTY" in input && input.isTTY === true;
  const lines = createInterface({ input, terminal: isPerson, prompt: "> ", ...(isPerson ? { output } : {}) });
  let answering: AbortController | undefined;
  let isOpen = true;
  lines.once("close", () => {
    isOpen = false;
  });
  lines.on("SIGINT", () => {
    if (answering !== undefined) return answering.abort(new DroverError("cancelled", "the answer was interrupted"));
    const { line } = lines;
    output.write(line === "" ? "\nCtrl-D or /bye ends.\n" : "\n");
    // Clears what is typed: no key of readline's is nearer to it.
    lines.write(null, { ctrl: true, name: "e" });
    lines.write(null, { ctrl: true, name: "u" });
    lines.prompt();
  });
  const prompt = (mark = "> ") => {
    lines.setPrompt(mark);
    if (isPerson && isOpen) lines.prompt();
  };
  if (isPerson) output.write(`${conversation.title}\n/help tells what else there is.\n`);
  prompt();
  for await (const block of lineBlocks(lines, { isPerson, clock, onOpen: () => prompt(". ") })) {
    answering = new AbortController();
    const goesOn = await takeLine(conversation, block, terminal, isPerson, answering.signal);
    answering = undefined;
    if (!goesOn) break;
    prompt();
  }
  lines.close();
}

/** Does what a line says. False where it ends the conversation. */
async function takeLine(
  conversation: Conversation,
  text: string,
  terminal: Terminal,
  isPerson: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const { output, errors } = terminal;
  const line = readChatLine(text, isFile);
  try {
    if (line.kind === "nothing") return true;
    if (line.kind === "command") return await obey(conversation, line, output);
    for (const place of line.pictures) conversation.show(await pictureUrl(place));
    if (line.text === "") output.write("It is shown with the next question.\n");
    else await answer(conversation, line.text, terminal, isPerson, signal);
  } catch (error) {
    if (!signal.aborted) {
      if (!(error instanceof DroverError)) throw error;
      errors.write(`drover: ${error.message}\n`);
    }
    // Every question has a line, also where nobody answers it.
    if (line.kind === "question") output.write("\n");
  }
  return true;
}

async function obey(
  conversation: Conversation,
  { name, argument }: Readonly<{ name: string; argument: string }>,
  output: Writable,
): Promise<boolean> {
  switch (name) {
    case "bye":
    case "exit":
    case "quit":
      return false;
    case "?":
    case "help":
      output.write(HELP);
      return true;
    case "reset":
    case "clear":
      conversation.reset();
      return true;
    case "system":
      conversation.instruct(argument);
      return true;
    case "image":
      if (argument === "") throw new DroverError("invalid_argument", "/image takes a file or an http(s) URL");
      conversation.show(await pictureUrl(argument.replace(/^(["'])(.*)\1$/, "$2").replace(/\\(.)/g, "$1")));
      return true;
    case "set": {
      const [, setting = "", value = ""] = /^(\S*)\s*(.*)$/s.exec(argument) ?? [];
      if (setting === "") output.write(`${JSON.stringify(conversation.settings.fields)}\n`);
      else conversation.settings.set(setting, value);
      return true;
    }
    default:
      throw new DroverError(
        "invalid_argument",
        `there is no /${name}; /help tells what there is, and // begins a question with a slash`,
      );
  }
}

async function answer(
  conversation: Conversation,
  question: string,
  { output, clock = systemClock }: Terminal,
  isPerson: boolean,
  signal: AbortSignal,
): Promise<void> {
  const began = clock.monotonic();
  let firstMs: number | undefined;
  if (isPerson) output.write(WAITING);
  try {
    for await (const text of conversation.ask(question, signal)) {
      if (firstMs === undefined && isPerson) output.write(ERASE_LINE);
      firstMs ??= clock.monotonic() - began;
      output.write(text);
    }
  } finally {
    if (firstMs === undefined && isPerson) output.write(ERASE_LINE);
  }
  output.write("\n");
  const count = conversation.lastTokenCount;
  if (!isPerson || count === undefined || firstMs === undefined) return;
  const seconds = (clock.monotonic() - began - firstMs) / 1000;
  const speed = count > 1 && seconds > 0 ? `, ${((count - 1) / seconds).toFixed(0)} tokens/s` : "";
  output.write(`(${count} tokens${speed}, the first after ${(firstMs / 1000).toFixed(2)} s)\n`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
