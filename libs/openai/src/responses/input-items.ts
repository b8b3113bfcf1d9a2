import type { ChatMessage } from "@drover/chat";
import { DroverError } from "@drover/core";
import { Type } from "typebox";
import { INPUT_ITEMS_PAGE_DEFAULT, INPUT_ITEMS_PAGE_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";
import type { KeptResponse } from "./kept-response.ts";

/** An item that a response was made from. */
export type InputItem = Readonly<{ id: string; type: "message" | "function_call" | "function_call_output" }>;

/** A page of a response's input. */
export const InputItemList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(
    Type.Object({ id: Type.String(), type: Type.Enum(["message", "function_call", "function_call_output"]) }),
    { description: "As OpenAI's items are: what comes beside these depends on `type`." },
  ),
  first_id: Type.Union([Type.String(), Type.Null()]),
  last_id: Type.Union([Type.String(), Type.Null()]),
  has_more: Type.Boolean(),
});

/** How a list is asked for, in the words of a query string. */
export type InputItemsPage = Readonly<{
  limit?: string | undefined;
  order?: string | undefined;
  after?: string | undefined;
}>;

/** A page of what a kept response was made from, with the turns before it; the newest first unless `order` says `asc`. Errors: `invalid_argument`; `not_found` for an `after` that is none of them. */
export function inputItemsPage(
  kept: KeptResponse,
  id: string,
  { limit = String(INPUT_ITEMS_PAGE_DEFAULT), order = "desc", after }: InputItemsPage,
) {
  if (order !== "asc" && order !== "desc") throw fieldError("order", "must be asc or desc");
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1) throw fieldError("limit", "must be a positive integer");
  const size = Math.min(Number(limit), INPUT_ITEMS_PAGE_MAX);
  const all = inputItems(kept, id);
  const items = order === "asc" ? all : all.toReversed();
  const before = after === undefined ? -1 : items.findIndex((item) => item.id === after);
  if (after !== undefined && before < 0)
    throw new DroverError("not_found", "is no item of this response", { field: "after" });
  const left = items.slice(before + 1);
  const data = left.slice(0, size);
  const ends = { first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null };
  return { object: "list", data, ...ends, has_more: left.length > size };
}

/** All of a kept response's input, in order: what its conversation has before its own turn. `id`: the response's. */
export function inputItems({ conversation, response }: KeptResponse, id: string): readonly InputItem[] {
  const name = id.replace(/^resp_/, "");
  const images = conversation.images.values();
  const turns = hasAnswer(response) ? conversation.messages.slice(0, -1) : conversation.messages;
  const items = turns.flatMap((message) => itemsOf(message, () => images.next().value?.url ?? ""));
  return items.map(({ kind, ...item }, i) => ({ id: `${kind}_${name}_in${i}`, ...item }));
}

/** Whether a response has an answer, which its conversation ends with: one that is computed, has failed or was cancelled has none. */
export function hasAnswer(response: unknown): boolean {
  if (typeof response !== "object" || response === null || !("status" in response)) return true;
  return response.status === "completed" || response.status === "incomplete";
}

type Unnamed = Readonly<{ kind: "msg" | "fc" | "fco" } & Omit<InputItem, "id"> & Record<string, unknown>>;

function itemsOf(message: ChatMessage, nextImage: () => string): readonly Unnamed[] {
  const { role, content, tool_calls: calls, tool_call_id: callId } = message;
  const status = "completed";
  if (role === "tool") {
    const output = typeof content === "string" ? content : partsOf(content, "input_text", nextImage);
    return [{ kind: "fco", type: "function_call_output", call_id: callId, output, status }];
  }
  const said = partsOf(content, role === "assistant" ? "output_text" : "input_text", nextImage);
  const items: Unnamed[] = said.length === 0 ? [] : [{ kind: "msg", type: "message", role, status, content: said }];
  for (const call of Array.isArray(calls) ? calls : []) {
    const { id, function: called } = call as Readonly<{ id: string; function: { name: string; arguments: unknown } }>;
    const written = called.arguments;
    items.push({
      ...{ kind: "fc", type: "function_call", call_id: id, name: called.name, status },
      arguments: typeof written === "string" ? written : JSON.stringify(written),
    });
  }
  return items;
}

function partsOf(content: unknown, type: "output_text" | "input_text", nextImage: () => string): readonly unknown[] {
  const extra = type === "output_text" ? { annotations: [] } : {};
  if (typeof content === "string") return [{ type, text: content, ...extra }];
  if (!Array.isArray(content)) return [];
  return content.map((part: Readonly<{ type: string; text?: string }>) =>
    part.type === "text"
      ? { type, text: part.text, ...extra }
      : { type: "input_image", image_url: nextImage(), detail: "auto", file_id: null },
  );
}
