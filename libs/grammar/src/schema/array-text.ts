import { at } from "@drover/core";
import { constraintFault } from "../constraint-fault.ts";
import { type Expression, maybe, NOTHING, repeat, sequence, text } from "../expression.ts";
import { COMMA } from "../json/json-text.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import { orderedMembers } from "./ordered-members.ts";
import { listOf, NO_SCHEMAS, type SchemaNode } from "./schema-node.ts";
import type { ValueRules } from "./value-rules.ts";

/** Arrays that schemas take together. Errors: `invalid_argument`, naming the place, for what cannot be enforced. */
export function arrayExpression(nodes: readonly SchemaNode[], values: ValueRules, place: string): Expression {
  const objects = nodes.filter((node): node is SchemaNode & { schema: JsonObject } => isJsonObject(node.schema));
  const counts = (name: string) =>
    objects.flatMap(({ schema }) => (typeof schema[name] === "number" ? [schema[name]] : []));
  const countMin = Math.max(0, ...counts("minItems"));
  const countMax = Math.min(Number.POSITIVE_INFINITY, ...counts("maxItems"));
  const firstCount = Math.min(countMax, Math.max(0, ...objects.map(({ schema }) => firstItems(schema).length)));
  const contained = containedItems(objects, values);
  const needed = Math.max(
    countMin,
    firstCount + contained.length > countMax
      ? countMin
      : contained.length > 0
        ? firstCount + contained.length
        : countMin,
  );
  if (contained.length > 0 && firstCount + contained.length > countMax) return NOTHING;
  const at_ = (i: number) => itemSchemas(objects, i, values);
  const rest = at_(Number.MAX_SAFE_INTEGER);
  if (objects.some(({ schema }) => schema.uniqueItems === true) && countMax > 1)
    return uniqueItems(firstCount, rest, needed, countMax, values, place);
  const items = [
    ...Array.from({ length: firstCount }, (_, i) => values.of(at_(i))),
    ...contained.map((extra) => values.of([...rest, ...extra])),
  ];
  return sequence(text("["), listed(items, values.of(rest), needed, countMax), text("]"));
}

/** Items of which the first ones are each of its own kind, with commas between them. */
function listed(first: readonly Expression[], rest: Expression, countMin: number, countMax: number): Expression {
  const begun = first.length;
  let tail: Expression =
    begun > 0
      ? repeat(sequence(COMMA, rest), Math.max(0, countMin - begun), countMax - begun)
      : some(rest, countMin, countMax);
  for (let i = begun - 1; i >= 0; i--) {
    const item = sequence(i === 0 ? text("") : COMMA, at(first, i), tail);
    tail = countMin > i ? item : maybe(item);
  }
  return tail;
}

function some(item: Expression, countMin: number, countMax: number): Expression {
  if (countMax <= 0) return countMin > 0 ? NOTHING : text("");
  const one = sequence(item, repeat(sequence(COMMA, item), Math.max(0, countMin - 1), countMax - 1));
  return countMin > 0 ? one : maybe(one);
}

const firstItems = (schema: JsonObject): readonly unknown[] =>
  Array.isArray(schema.items) ? schema.items : listOf(schema.prefixItems);

/** What the item at a place must match. */
function itemSchemas(objects: readonly (SchemaNode & { schema: JsonObject })[], i: number, values: ValueRules) {
  const all = objects.flatMap((node): readonly SchemaNode[] => {
    const { schema } = node;
    const first = firstItems(schema);
    const own = i < first.length ? first[i] : Array.isArray(schema.items) ? schema.additionalItems : schema.items;
    if (own === undefined) return NO_SCHEMAS;
    return [values.child(node, own, i < first.length ? `prefixItems[${i}]` : "items")];
  });
  const unevaluated = objects.flatMap((node): readonly SchemaNode[] => {
    const { unevaluatedItems } = node.schema;
    if (unevaluatedItems === undefined || unevaluatedItems === true) return NO_SCHEMAS;
    // Where any schema that holds here speaks of the item it is evaluated; that is more than may be seen from there, if schemas are combined.
    const isEvaluated = objects.some(
      ({ schema }) => i < firstItems(schema).length || (!Array.isArray(schema.items) && schema.items !== undefined),
    );
    if (objects.length > 1 && isEvaluated && !isSeen(node, objects))
      throw constraintFault(`${node.place}.unevaluatedItems`, "cannot be enforced beside other schemas");
    return isEvaluated ? NO_SCHEMAS : [values.child(node, unevaluatedItems, "unevaluatedItems")];
  });
  return [...all, ...unevaluated];
}

/** Whether a schema that tells of what is not evaluated stands above all others. */
const isSeen = (node: SchemaNode, objects: readonly SchemaNode[]): boolean => objects[0] === node;

/** For each item that must be there by `contains`, what it must match. They come first. */
function containedItems(
  objects: readonly (SchemaNode & { schema: JsonObject })[],
  values: ValueRules,
): ReadonlyArray<readonly SchemaNode[]> {
  return objects.flatMap((node) => {
    const { contains, minContains = 1, maxContains } = node.schema;
    if (contains === undefined) return [];
    if (maxContains !== undefined) throw constraintFault(`${node.place}.maxContains`, "cannot be enforced");
    return Array.from({ length: Number(minContains) }, () => [values.child(node, contains, "contains")]);
  });
}

/** Items that differ are written where there is a list of all that there may be: in its order. */
function uniqueItems(
  firstCount: number,
  rest: readonly SchemaNode[],
  countMin: number,
  countMax: number,
  values: ValueRules,
  place: string,
): Expression {
  const finite = firstCount === 0 ? values.listed(rest) : undefined;
  if (finite === undefined)
    throw constraintFault(`${place}.uniqueItems`, "cannot be enforced but for items that are listed by enum");
  const members = finite.map((value) => ({ expression: values.literal(value), isRequired: false }));
  const inner = orderedMembers({ members, countMin, countMax, free: undefined }, values, place);
  return sequence(text("["), inner, text("]"));
}
