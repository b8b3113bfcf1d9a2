import { takes } from "../automaton/machine.ts";
import { constraintFault } from "../constraint-fault.ts";
import { NESTING_MAX } from "../limits.ts";
import { NUMBER_FORMATS } from "./formats.ts";
import { hasValue, jsonEqual } from "./json-equal.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import { NOT_PATTERN, NOT_VALUES } from "./keywords.ts";
import { kindOf, typedKinds } from "./kinds.ts";
import type { Patterns } from "./patterns.ts";
import { listOf, mapOf, type SchemaNode, type SchemaNodes } from "./schema-node.ts";

/** Says whether values match a schema. Of formats it takes what a grammar would write. */
export class Validator {
  readonly #nodes: SchemaNodes;
  readonly #patterns: Patterns;

  constructor(nodes: SchemaNodes, patterns: Patterns) {
    this.#nodes = nodes;
    this.#patterns = patterns;
  }

  /** Errors: `invalid_argument` for schemas that cannot be enforced. */
  matches(node: SchemaNode, value: unknown, depth = 0): boolean {
    const { schema, place } = node;
    this.#nodes.budget.spend(1, place);
    if (typeof schema === "boolean") return schema;
    if (depth > NESTING_MAX) throw constraintFault(place, "is nested too deeply");
    const inner = (one: unknown, of = value) => this.matches(this.#nodes.node(one, place, node.root), of, depth + 1);
    const kinds = typedKinds(node);
    if (kinds !== undefined && !kinds.has(kindOf(value))) return false;
    if ("const" in schema && !jsonEqual(schema.const, value)) return false;
    if (Array.isArray(schema.enum) && !hasValue(schema.enum, value)) return false;
    if (hasValue(listOf(schema[NOT_VALUES]), value)) return false;
    if (typeof schema.$ref === "string" && !this.matches(this.#nodes.referred(node, schema.$ref), value, depth + 1))
      return false;
    if (!listOf(schema.allOf).every((one) => inner(one))) return false;
    if (schema.anyOf !== undefined && !listOf(schema.anyOf).some((one) => inner(one))) return false;
    if (schema.oneOf !== undefined && listOf(schema.oneOf).filter((one) => inner(one)).length !== 1) return false;
    if (schema.not !== undefined && inner(schema.not)) return false;
    if (schema.if !== undefined) {
      const branch = inner(schema.if) ? schema.then : schema.else;
      if (branch !== undefined && !inner(branch)) return false;
    }
    if (typeof value === "string") return this.#string(schema, value, place);
    if (typeof value === "number") return matchesNumber(schema, value);
    if (Array.isArray(value)) return this.#array(schema, value, inner, place);
    return isJsonObject(value) ? this.#object(schema, value, inner, place) : true;
  }

  #string(schema: JsonObject, value: string, place: string): boolean {
    const length = Array.from(value).length;
    const { minLength, maxLength, pattern, format } = schema;
    if (typeof minLength === "number" && length < minLength) return false;
    if (typeof maxLength === "number" && length > maxLength) return false;
    if (typeof pattern === "string" && !this.#patterns.finds(pattern, value, `${place}.pattern`)) return false;
    const not = schema[NOT_PATTERN];
    if (typeof not === "string" && this.#patterns.finds(not, value, place)) return false;
    if (typeof format !== "string" || NUMBER_FORMATS.has(format)) return true;
    const at = `${place}.format`;
    return takes(this.#patterns.machine(this.#patterns.ofFormat(format, at), at), value);
  }

  #array(
    schema: JsonObject,
    value: readonly unknown[],
    inner: (schema: unknown, value: unknown) => boolean,
    place: string,
  ): boolean {
    const { minItems, maxItems, items, contains } = schema;
    if (typeof minItems === "number" && value.length < minItems) return false;
    if (typeof maxItems === "number" && value.length > maxItems) return false;
    if (schema.uniqueItems === true && value.some((one, i) => value.slice(0, i).some((other) => jsonEqual(one, other))))
      return false;
    if (schema.unevaluatedItems !== undefined && schema.unevaluatedItems !== true)
      throw constraintFault(`${place}.unevaluatedItems`, "cannot be enforced here");
    const first = Array.isArray(items) ? items : listOf(schema.prefixItems);
    const others = Array.isArray(items) ? schema.additionalItems : items;
    for (const [i, item] of value.entries()) {
      const of = i < first.length ? first[i] : others;
      if (of !== undefined && !inner(of, item)) return false;
    }
    if (contains === undefined) return true;
    const count = value.filter((item) => inner(contains, item)).length;
    const { minContains = 1, maxContains = Number.POSITIVE_INFINITY } = schema;
    return count >= Number(minContains) && count <= Number(maxContains);
  }

  #object(
    schema: JsonObject,
    value: JsonObject,
    inner: (schema: unknown, value?: unknown) => boolean,
    place: string,
  ): boolean {
    const names = Object.keys(value);
    const { minProperties, maxProperties } = schema;
    if (typeof minProperties === "number" && names.length < minProperties) return false;
    if (typeof maxProperties === "number" && names.length > maxProperties) return false;
    if (listOf(schema.required).some((name) => !Object.hasOwn(value, String(name)))) return false;
    if (schema.unevaluatedProperties !== undefined && schema.unevaluatedProperties !== true)
      throw constraintFault(`${place}.unevaluatedProperties`, "cannot be enforced here");
    for (const name of names) {
      if (schema.propertyNames !== undefined && !inner(schema.propertyNames, name)) return false;
      const own = mapOf(schema.properties).filter(([known]) => known === name);
      const found = mapOf(schema.patternProperties).filter(([pattern]) =>
        this.#patterns.finds(pattern, name, `${place}.patternProperties`),
      );
      const schemas = [...own, ...found].map(([, one]) => one);
      if (schemas.length === 0 && schema.additionalProperties !== undefined) schemas.push(schema.additionalProperties);
      if (!schemas.every((one) => inner(one, value[name]))) return false;
    }
    return dependenciesOf(schema).every(
      ([name, needed]) =>
        !Object.hasOwn(value, name) ||
        (Array.isArray(needed) ? needed.every((other) => Object.hasOwn(value, String(other))) : inner(needed)),
    );
  }
}

/** What a property brings with it: names of others, or a schema. */
export const dependenciesOf = ({
  dependentRequired,
  dependentSchemas,
  dependencies,
}: JsonObject): ReadonlyArray<readonly [name: string, needed: unknown]> => [
  ...mapOf(dependentRequired),
  ...mapOf(dependentSchemas),
  ...mapOf(dependencies),
];

function matchesNumber(schema: JsonObject, value: number): boolean {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema;
  if (typeof minimum === "number" && (value < minimum || (exclusiveMinimum === true && value === minimum)))
    return false;
  if (typeof maximum === "number" && (value > maximum || (exclusiveMaximum === true && value === maximum)))
    return false;
  if (typeof exclusiveMinimum === "number" && value <= exclusiveMinimum) return false;
  if (typeof exclusiveMaximum === "number" && value >= exclusiveMaximum) return false;
  if (typeof multipleOf === "number" && !Number.isInteger(value / multipleOf)) return false;
  const range = typeof format === "string" ? NUMBER_FORMATS.get(format) : undefined;
  return range === undefined || (Number.isInteger(value) && value >= range[0] && value <= range[1]);
}
