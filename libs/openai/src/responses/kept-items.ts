import { DroverError } from "@drover/core";
import { KEPT_ITEMS_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";
import { inputItems } from "./input-items.ts";
import type { KeptNames, KeptResponse } from "./kept-response.ts";

/** What a body names of kept answers, whatever the rest of it is; undefined where it names none. */
export function keptNames(value: unknown): KeptNames | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const previousId =
    "previous_response_id" in value && typeof value.previous_response_id === "string"
      ? value.previous_response_id
      : undefined;
  const itemIds = itemsOf(value)
    .flatMap(referredId)
    .slice(0, KEPT_ITEMS_MAX + 1);
  return previousId === undefined && itemIds.length === 0 ? undefined : { previousId, itemIds };
}

/**
 * A body whose references are the items that they name, and whose items all have a type: a message may leave it out, and the schema tells
 * items apart by it. Errors: `not_found` for an item that is not kept; `invalid_argument` for too many references.
 */
export function withItems(value: unknown, kept: ReadonlyMap<string, unknown> = new Map()): unknown {
  const items = itemsOf(value);
  if (items.length === 0) return withoutInput(value);
  if (items.flatMap(referredId).length > KEPT_ITEMS_MAX)
    throw fieldError("input", `may refer to at most ${KEPT_ITEMS_MAX} items`);
  const input = items.map((item, i) => {
    const [id] = referredId(item);
    if (id === undefined) return typed(item);
    const found = kept.get(id);
    if (found !== undefined) return found;
    throw new DroverError("not_found", `the item ${JSON.stringify(id.slice(0, 100))} is not kept here`, {
      field: `input[${i}].id`,
    });
  });
  return { ...(value as object), input };
}

/** Who goes on with a kept answer need not say anything: then its input is no item. */
function withoutInput(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("previous_response_id" in value)) return value;
  if (typeof value.previous_response_id !== "string") return value;
  const given = "input" in value ? (value.input ?? undefined) : undefined;
  return given === undefined ? { ...value, input: [] } : value;
}

/** The item of a kept answer, or of what it was made from, that has this id; undefined where it has none. */
export function keptItem(kept: KeptResponse, id: string): unknown {
  const { response } = kept;
  if (/_in\d{1,6}$/.test(id)) return inputItems(kept, responseOfItem(id) ?? "").find((item) => item.id === id);
  if (typeof response !== "object" || response === null || !("output" in response)) return undefined;
  const output: readonly unknown[] = Array.isArray(response.output) ? response.output : [];
  return output.find((item) => typeof item === "object" && item !== null && "id" in item && item.id === id);
}

/** The id of the answer that an item with this id is of; undefined for what is no item's. */
export function responseOfItem(id: string): string | undefined {
  const name = /^(?:msg|fc|fco)_([\w-]{1,100}?)(?:_(?:in)?\d{1,6})?$/.exec(id)?.[1];
  return name === undefined ? undefined : `resp_${name}`;
}

function itemsOf(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null || !("input" in value)) return [];
  return Array.isArray(value.input) ? value.input : [];
}

/** The id that a reference names: clients send one for what the server has made and keeps. Its type may be left out. */
function referredId(item: unknown): readonly string[] {
  if (typeof item !== "object" || item === null || !("id" in item) || typeof item.id !== "string") return [];
  if ("type" in item && item.type !== null) return item.type === "item_reference" ? [item.id] : [];
  return "role" in item ? [] : [item.id];
}

const typed = (item: unknown): unknown =>
  typeof item === "object" && item !== null && (!("type" in item) || item.type === null) && "role" in item
    ? { ...item, type: "message" }
    : item;
