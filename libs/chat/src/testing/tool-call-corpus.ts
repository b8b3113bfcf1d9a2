import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TOOL_CALL_MARKS, type ToolCallEvent, type ToolCallMark, ToolCallParser } from "../tool-call-parser.ts";

/** What a model wrote, with marks as their names, and what a client should get: calls, and the other text or null. */
export type ToolCallCase = Readonly<{
  name: string;
  tools: readonly string[];
  text: string;
  calls: readonly Readonly<{ name: string; arguments: Readonly<Record<string, unknown>> }>[];
  content: string | null;
}>;

export function readToolCallCorpus(): ToolCallCase[] {
  return readFileSync(join(import.meta.dirname, "../testdata/tool-calls.jsonl"), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ToolCallCase);
}

/** The text as a stream would bring it: marks alone, and the rest in pieces that end at the offsets. */
export function parseInPieces(tools: readonly string[], text: string, ends: readonly number[]): ToolCallEvent[] {
  const parser = new ToolCallParser(tools);
  const events: ToolCallEvent[] = [];
  let offset = 0;
  for (const part of splitAtMarks(text)) {
    const end = offset + part.length;
    const cuts = isMark(part) ? [end] : [...ends.filter((at) => at > offset && at < end), end];
    for (const cut of cuts) {
      const piece = text.slice(offset, cut);
      events.push(...(isMark(piece) ? parser.mark(piece) : parser.push(piece)));
      offset = cut;
    }
  }
  return [...events, ...parser.end(false)];
}

/** All that the model wrote, as the events have it. Marks are silent. */
export function writtenText(events: readonly ToolCallEvent[]): string {
  return events.map((event) => (event.kind === "text" ? event.text : event.source)).join("");
}

export function withoutMarks(text: string): string {
  return splitAtMarks(text)
    .filter((part) => !isMark(part))
    .join("");
}

/** What a client gets, in the corpus's terms. */
export function clientView(events: readonly ToolCallEvent[]) {
  const text = events.map((event) => (event.kind === "text" ? event.text : "")).join("");
  const calls = events.flatMap((event) => (event.kind === "call" ? [event] : []));
  return {
    calls: calls.map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) as unknown })),
    content: text === "" ? null : text,
  };
}

function splitAtMarks(text: string): string[] {
  return text.split(/(<\|python_start\|>|<\|python_end\|>|<\|eom\|>|<\|eot\|>)/).filter((part) => part !== "");
}

function isMark(text: string): text is ToolCallMark {
  return (TOOL_CALL_MARKS as readonly string[]).includes(text);
}
