import type { Budget } from "../budget.ts";
import { constraintFault } from "../constraint-fault.ts";
import { NESTING_MAX } from "../limits.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import { checkKeywords } from "./keywords.ts";

/** A schema, where it stands, and which resource it belongs to. Equal schemas of one resource are one node. */
export type SchemaNode = Readonly<{
  id: number;
  /** Its keywords, which have been checked; true takes everything, and false nothing. */
  schema: JsonObject | boolean;
  place: string;
  /** The resource's own schema, to which references lead. */
  root: JsonObject | boolean;
}>;

/** Schemas of so many values or less are told by what they say, so that equal ones are one. */
const SHORT_SCHEMA_VALUES = 24;

/** All nodes of one client's schema. */
export class SchemaNodes {
  readonly budget: Budget;
  readonly #place: string;
  readonly #nodes = new Map<unknown, Map<unknown, SchemaNode>>();
  readonly #ids = new Map<unknown, JsonObject>();
  #count = 0;

  constructor(schema: unknown, budget: Budget, place: string) {
    this.budget = budget;
    this.#place = place;
    this.#collectIds(schema, 0);
  }

  /** The node of a schema that stands in the client's. Errors: `invalid_argument` for what is no schema, or has keywords that cannot be enforced. */
  node(schema: unknown, place: string, root: JsonObject | boolean): SchemaNode {
    if (typeof schema !== "boolean" && !isJsonObject(schema)) throw constraintFault(place, "is no schema");
    if (place.length > 20 * NESTING_MAX + 1000) throw constraintFault(place.slice(0, 200), "is nested too deeply");
    const own = typeof schema === "object" && typeof schema.$id === "string" && this.#ids.get(schema.$id) === schema;
    return this.#known(schema, place, own ? schema : root, (made) => checkKeywords(made, place));
  }

  /** A node that says what others imply. */
  derived(schema: JsonObject | boolean, from: SchemaNode): SchemaNode {
    return this.#known(schema, from.place, from.root, () => undefined);
  }

  /** The schema that a reference leads to. Errors: `invalid_argument` for one that leads out of the client's schema, or to nothing. */
  referred(node: SchemaNode, reference: string): SchemaNode {
    const fault = (sentence: string) => constraintFault(`${node.place}.$ref`, sentence);
    const [base = "", fragment = ""] = reference.split("#", 2);
    const root = base === "" ? node.root : this.#ids.get(base);
    if (root === undefined) throw fault("leads out of the schema");
    if (fragment !== "" && !fragment.startsWith("/")) {
      const anchored = this.#ids.get(`#${fragment}`);
      if (anchored === undefined) throw fault("leads to nothing");
      return this.node(anchored, `#${fragment}`, root);
    }
    let found: unknown = root;
    for (const part of fragment.split("/").slice(1)) {
      const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
      found = Array.isArray(found) || isJsonObject(found) ? (found as JsonObject)[key] : undefined;
    }
    if (found === undefined) throw fault("leads to nothing");
    return this.node(found, `${node.place}.$ref`, root);
  }

  #known(
    schema: JsonObject | boolean,
    place: string,
    root: JsonObject | boolean,
    check: (schema: JsonObject) => void,
  ): SchemaNode {
    this.budget.spend(1, place);
    const ofRoot = this.#nodes.get(root) ?? new Map<unknown, SchemaNode>();
    this.#nodes.set(root, ofRoot);
    const found = ofRoot.get(schema);
    if (found !== undefined) return found;
    if (typeof schema === "object") check(schema);
    const key = isShort(schema, { left: SHORT_SCHEMA_VALUES }) ? JSON.stringify(schema) : schema;
    const made = ofRoot.get(key) ?? { id: this.#count++, schema, place, root };
    ofRoot.set(key, made);
    ofRoot.set(schema, made);
    return made;
  }

  #collectIds(value: unknown, depth: number): void {
    this.budget.spend(1, this.#place);
    if (typeof value !== "object" || value === null) return;
    if (depth > 4 * NESTING_MAX) throw constraintFault(this.#place, "is nested too deeply");
    if (isJsonObject(value)) {
      for (const name of ["$id", "id"]) {
        const id = value[name];
        if (typeof id === "string" && !this.#ids.has(id)) this.#ids.set(id.replace(/#$/, ""), value);
      }
      if (typeof value.$anchor === "string") this.#ids.set(`#${value.$anchor}`, value);
    }
    for (const inner of Object.values(value)) this.#collectIds(inner, depth + 1);
  }
}

/** The schemas of a keyword that has a list of them. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The schemas of a keyword that has them by name. */
export const mapOf = (value: unknown): ReadonlyArray<readonly [string, unknown]> =>
  isJsonObject(value) ? Object.entries(value) : [];

function decoded(part: string): string {
  return part.replace(/%[0-9a-fA-F]{2}/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}

export const NO_SCHEMAS: readonly SchemaNode[] = [];

/** Whether a value holds no more values than are left. */
function isShort(value: unknown, room: { left: number }): boolean {
  room.left -= 1;
  if (room.left < 0) return false;
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value).every((inner) => isShort(inner, room));
}
