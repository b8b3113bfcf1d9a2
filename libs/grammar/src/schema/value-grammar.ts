import { Budget } from "../budget.ts";
import { constraintFault } from "../constraint-fault.ts";
import { choice, type Expression, isNothing, NOTHING, rule } from "../expression.ts";
import { ANY_VALUE, anyRules, INTEGER, JSON_WORDS, literal, NUMBER, type Words } from "../json/json-text.ts";
import { WORK_MAX } from "../limits.ts";
import { plainJson } from "../plain-json.ts";
import { RuleBook } from "../rule-book.ts";
import { type Alternative, Alternatives } from "./alternatives.ts";
import { arrayExpression } from "./array-text.ts";
import { NUMBER_FORMATS } from "./formats.ts";
import { jsonEqual } from "./json-equal.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import { NOT_VALUES } from "./keywords.ts";
import { type Kind, kindsOf } from "./kinds.ts";
import type { Bound } from "./number-query.ts";
import { numberExpression } from "./number-text.ts";
import { BRACES, KEYWORDS, keywordsOf } from "./object-form.ts";
import { objectExpression } from "./object-text.ts";
import { Patterns } from "./patterns.ts";
import { listOf, type SchemaNode, SchemaNodes } from "./schema-node.ts";
import { stringExpression, stringQuery } from "./string-text.ts";
import { Validator } from "./validate.ts";
import type { ValueRules } from "./value-rules.ts";

/** Makes rules of one client's schema: each list of schemas that hold together is one rule, so that schemas may hold themselves. */
export class ValueGrammar implements ValueRules {
  readonly budget = new Budget(WORK_MAX);
  readonly rules: RuleBook;
  readonly patterns = new Patterns(this.budget);
  readonly root: SchemaNode;
  /** What nothing matches. */
  readonly nothing: SchemaNode;
  readonly #words: Words;
  readonly #nodes: SchemaNodes;
  readonly #validator: Validator;
  readonly #alternatives: Alternatives;
  readonly #known = new Map<string, Expression>();

  /** `words`: those of the notation in which values are written. Errors: `invalid_argument`, naming the place, for what is no schema. */
  constructor(written: unknown, place: string, words = JSON_WORDS) {
    this.#words = words;
    this.rules = new RuleBook(anyRules(words));
    const schema = plainJson(written, place);
    this.#nodes = new SchemaNodes(schema, this.budget, place);
    this.#validator = new Validator(this.#nodes, this.patterns);
    this.#alternatives = new Alternatives(this.#nodes, this.patterns, this.#validator);
    this.root = this.#nodes.node(schema, place, isJsonObject(schema) ? schema : true);
    this.nothing = this.#nodes.derived(false, this.root);
  }

  child(node: SchemaNode, schema: unknown, name: string): SchemaNode {
    return this.#nodes.node(schema, `${node.place}.${name}`, node.root);
  }

  matches(node: SchemaNode, value: unknown): boolean {
    return this.#validator.matches(node, value);
  }

  alternatives(schemas: readonly SchemaNode[]): readonly Alternative[] {
    return this.#alternatives.of(schemas);
  }

  /** Values that match all of the schemas. Errors: `invalid_argument`, naming the place that cannot be enforced. */
  of(schemas: readonly SchemaNode[]): Expression {
    const asked = [...new Set(schemas)].filter(({ schema }) => !isTrue(schema)).sort((a, b) => a.id - b.id);
    if (asked.length === 0) return ANY_VALUE;
    if (asked.some(({ schema }) => schema === false)) return NOTHING;
    const key = asked.map(({ id }) => id).join(",");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = this.rules.reserve();
    this.#known.set(key, rule(name));
    const options = this.alternatives(schemas).map((alternative) => this.#alternative(alternative));
    this.rules.define(name, choice(...options.filter((option) => !isNothing(option))));
    return rule(name);
  }

  /** The objects that match, as the keyword arguments of a call in Python. Errors: as `of`. */
  keywordArguments(): Expression {
    const options = this.alternatives([this.root]).map((alternative) => {
      const place = this.#spendOn(alternative);
      const values = this.#writtenValues(alternative, place);
      if (values !== undefined) return choice(...values.map((value) => keywordsOf(value, this.#words)));
      refuseOtherValues(alternative);
      return kindsOf(alternative).has("object") ? objectExpression(alternative, this, place, KEYWORDS) : NOTHING;
    });
    return choice(...options.filter((option) => !isNothing(option)));
  }

  literal(value: unknown): Expression {
    return literal(value, this.#words);
  }

  /** The values that match, where they are listed; undefined where others do too. */
  listed(schemas: readonly SchemaNode[]): readonly unknown[] | undefined {
    const all: unknown[] = [];
    for (const alternative of this.alternatives(schemas)) {
      const values = this.#values(alternative);
      if (values === undefined) return undefined;
      for (const value of values) {
        this.budget.spend(all.length, this.root.place);
        if (!all.some((other) => jsonEqual(other, value))) all.push(value);
      }
    }
    return all;
  }

  #values(alternative: Alternative): readonly unknown[] | undefined {
    const matching = (values: readonly unknown[]) =>
      values.filter((value) => alternative.every((node) => this.matches(node, value)));
    for (const { schema } of alternative) {
      if (typeof schema === "boolean") continue;
      if ("const" in schema) return matching([schema.const]);
      if (schema.enum !== undefined && !Array.isArray(schema.enum)) return [];
      if (Array.isArray(schema.enum)) return matching(schema.enum);
    }
    const kinds = [...kindsOf(alternative)];
    if (kinds.some((kind) => kind !== "null" && kind !== "boolean")) return undefined;
    return matching([true, false, null]);
  }

  #alternative(alternative: Alternative): Expression {
    const place = this.#spendOn(alternative);
    const values = this.#writtenValues(alternative, place);
    if (values !== undefined) return choice(...values.map((value) => this.literal(value)));
    const kinds = kindsOf(alternative);
    const isFree = alternative.every(({ schema }) => isTrue(schema));
    if (isFree) return ANY_VALUE;
    refuseOtherValues(alternative);
    const options: Expression[] = [];
    if (kinds.has("null") && this.#isLeft(alternative, null)) options.push(this.literal(null));
    if (kinds.has("boolean"))
      options.push(...[true, false].filter((one) => this.#isLeft(alternative, one)).map((one) => this.literal(one)));
    if (kinds.has("string"))
      options.push(
        stringExpression(stringQuery(alternative, this.patterns), this.patterns, this.rules, this.budget, place),
      );
    if (kinds.has("integer") || kinds.has("fraction")) options.push(this.#numbers(alternative, kinds, place));
    if (kinds.has("array")) options.push(arrayExpression(alternative, this, place));
    if (kinds.has("object")) options.push(objectExpression(alternative, this, place, BRACES));
    return choice(...options.filter((option) => !isNothing(option)));
  }

  /** Counts looking at schemas. Returns the place that errors are to name. */
  #spendOn(alternative: Alternative): string {
    const place = alternative.find(({ schema }) => isJsonObject(schema))?.place ?? this.root.place;
    this.budget.spend(alternative.length + 1, place);
    return place;
  }

  /** As `#values`, each of which counts as work. */
  #writtenValues(alternative: Alternative, place: string): readonly unknown[] | undefined {
    const values = this.#values(alternative);
    this.budget.spend(WORK_OF_VALUE * (values ?? []).length, place);
    return values;
  }

  #isLeft(alternative: Alternative, value: unknown): boolean {
    return !alternative.some(({ schema }) =>
      isJsonObject(schema) ? listOf(schema[NOT_VALUES]).some((one) => jsonEqual(one, value)) : false,
    );
  }

  #numbers(alternative: Alternative, kinds: ReadonlySet<Kind>, place: string): Expression {
    const lower: Bound[] = [];
    const upper: Bound[] = [];
    const divisors: number[] = [];
    let isWhole = !kinds.has("fraction");
    for (const node of alternative) {
      if (typeof node.schema === "boolean") continue;
      const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = node.schema;
      if (typeof minimum === "number") lower.push({ value: minimum, isStrict: exclusiveMinimum === true });
      if (typeof maximum === "number") upper.push({ value: maximum, isStrict: exclusiveMaximum === true });
      if (typeof exclusiveMinimum === "number") lower.push({ value: exclusiveMinimum, isStrict: true });
      if (typeof exclusiveMaximum === "number") upper.push({ value: exclusiveMaximum, isStrict: true });
      if (typeof multipleOf === "number") divisors.push(wholeDivisor(multipleOf, node.place));
      const range = typeof format === "string" ? NUMBER_FORMATS.get(format) : undefined;
      if (range === undefined) continue;
      isWhole = true;
      lower.push({ value: range[0], isStrict: false });
      upper.push({ value: range[1], isStrict: false });
    }
    if (lower.length + upper.length + divisors.length === 0) return isWhole ? INTEGER : NUMBER;
    return numberExpression({ isWhole, lower, upper, divisors }, this.rules, this.budget, place);
  }
}

const isTrue = (schema: JsonObject | boolean): boolean =>
  typeof schema === "boolean" ? schema : Object.keys(schema).length === 0;

/** Writing a value takes so much more than looking at a schema. */
const WORK_OF_VALUE = 20;

const DIVISOR_MAX = 1000;

/** A whole divisor of which all multiples are multiples of this. Errors: `invalid_argument` for one whose multiples a double does not tell. */
function wholeDivisor(multipleOf: number, place: string): number {
  // What is a power of two of a whole one divides exactly.
  const doubled = [1, 2, 4, 8, 16].find((power) => Number.isInteger(multipleOf * power));
  const whole = doubled === undefined ? Number.NaN : multipleOf * doubled;
  if (multipleOf > 0 && whole <= DIVISOR_MAX && Number.isInteger(whole)) return whole;
  throw constraintFault(`${place}.multipleOf`, `cannot be enforced but for whole numbers up to ${DIVISOR_MAX}`);
}

/** Of values that are refused one by one, strings and the few others are left out. Errors: `invalid_argument` for all else. */
function refuseOtherValues(alternative: Alternative): void {
  const kinds = kindsOf(alternative);
  for (const { schema, place } of alternative)
    for (const value of isJsonObject(schema) ? listOf(schema[NOT_VALUES]) : [])
      if (
        (typeof value === "number" && (kinds.has("integer") || kinds.has("fraction"))) ||
        (Array.isArray(value) && kinds.has("array")) ||
        (isJsonObject(value) && kinds.has("object"))
      )
        throw constraintFault(place, "cannot be enforced where a number, a list or an object must not be the value");
}
