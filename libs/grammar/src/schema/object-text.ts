import { intersect } from "../automaton/automaton.ts";
import { complementMachine, lengthMachine, listMachine, type Machine } from "../automaton/machine.ts";
import { constraintFault } from "../constraint-fault.ts";
import { choice, type Expression, isNothing, sequence, text } from "../expression.ts";
import { NAME_PATTERNS_MAX } from "../limits.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import type { ObjectForm } from "./object-form.ts";
import { orderedMembers } from "./ordered-members.ts";
import { listOf, mapOf, NO_SCHEMAS, type SchemaNode } from "./schema-node.ts";
import { refusalMachines, stringQuery } from "./string-text.ts";
import type { ValueRules } from "./value-rules.ts";

type ObjectNode = SchemaNode & { schema: JsonObject };

/**
 * Objects that schemas take together: properties in the order in which they are named, those that are not required or not. Others are
 * written where a schema asks for them, or names none. Errors: `invalid_argument`, naming the place, for what cannot be enforced.
 */
export function objectExpression(
  nodes: readonly SchemaNode[],
  values: ValueRules,
  place: string,
  form: ObjectForm,
): Expression {
  const objects = nodes.filter((node): node is ObjectNode => isJsonObject(node.schema));
  const text_ = new ObjectText(objects, values, place, form);
  return text_.expression();
}

class ObjectText {
  readonly #objects: readonly ObjectNode[];
  readonly #values: ValueRules;
  readonly #place: string;
  readonly #form: ObjectForm;
  /** Names that are written as such. */
  readonly #names: ReadonlySet<string>;
  readonly #required: ReadonlySet<string>;

  constructor(objects: readonly ObjectNode[], values: ValueRules, place: string, form: ObjectForm) {
    this.#form = form;
    this.#objects = objects;
    this.#values = values;
    this.#place = place;
    this.#required = new Set(objects.flatMap(({ schema }) => listOf(schema.required).map(String)));
    const named = objects.flatMap(({ schema }) => mapOf(schema.properties).map(([name]) => name));
    this.#names = new Set([...named, ...this.#required, ...this.#listedNames()]);
  }

  expression(): Expression {
    const counts = (keyword: string) =>
      this.#objects.flatMap(({ schema }) => (typeof schema[keyword] === "number" ? [Number(schema[keyword])] : []));
    const members = [...this.#names].map((name) => ({
      expression: this.#member(this.#form.name(name), this.#schemasOf(name)),
      isRequired: this.#required.has(name),
    }));
    const query = {
      members,
      countMin: Math.max(0, ...counts("minProperties")),
      countMax: Math.min(Number.POSITIVE_INFINITY, ...counts("maxProperties")),
      free: this.#free(),
    };
    const inner = orderedMembers(query, this.#values, this.#place);
    return sequence(text(this.#form.open), inner, text(this.#form.close));
  }

  #member(name: Expression, schemas: readonly SchemaNode[]): Expression {
    return sequence(name, this.#form.between, this.#values.of(schemas));
  }

  /** Names that `propertyNames` lists one by one. */
  #listedNames(): readonly string[] {
    if (!this.#isOpen()) return [];
    const names = this.#nameSchemas();
    const listed = names.length === 0 ? undefined : this.#values.listed(names);
    return (listed ?? []).filter((name) => typeof name === "string");
  }

  #nameSchemas(): readonly SchemaNode[] {
    return this.#objects.flatMap((node): readonly SchemaNode[] =>
      node.schema.propertyNames === undefined
        ? NO_SCHEMAS
        : [this.#values.child(node, node.schema.propertyNames, "propertyNames")],
    );
  }

  /** What the value of a name must match. */
  #schemasOf(name: string): readonly SchemaNode[] {
    const isName = this.#nameSchemas().every((node) => this.#values.matches(node, name));
    if (!isName) return [this.#values.nothing];
    const own = this.#objects.flatMap((node) => {
      const { properties, additionalProperties } = node.schema;
      const schemas =
        isJsonObject(properties) && Object.hasOwn(properties, name)
          ? [this.#values.child(node, properties[name], `properties.${name}`)]
          : NO_SCHEMAS;
      const found = mapOf(node.schema.patternProperties).flatMap(([pattern, one]): readonly SchemaNode[] =>
        this.#values.patterns.finds(pattern, name, `${node.place}.patternProperties`)
          ? [this.#values.child(node, one, `patternProperties.${pattern}`)]
          : NO_SCHEMAS,
      );
      const both = [...schemas, ...found];
      if (both.length > 0 || additionalProperties === undefined) return both;
      return [this.#values.child(node, additionalProperties, "additionalProperties")];
    });
    return [...own, ...this.#unevaluated((node) => this.#evaluates(node, name))];
  }

  #evaluates({ schema, place }: ObjectNode, name: string): boolean {
    return (
      schema.additionalProperties !== undefined ||
      (isJsonObject(schema.properties) && Object.hasOwn(schema.properties, name)) ||
      mapOf(schema.patternProperties).some(([pattern]) =>
        this.#values.patterns.finds(pattern, name, `${place}.patternProperties`),
      )
    );
  }

  /** What holds for names that no schema tells of. Errors: `invalid_argument` where that would depend on which schema sees which. */
  #unevaluated(evaluates: (node: ObjectNode) => boolean): readonly SchemaNode[] {
    return this.#objects.flatMap((node): readonly SchemaNode[] => {
      const { unevaluatedProperties } = node.schema;
      if (unevaluatedProperties === undefined || unevaluatedProperties === true) return NO_SCHEMAS;
      const evaluating = this.#objects.filter(evaluates);
      if (evaluating.length === 0) return [this.#values.child(node, unevaluatedProperties, "unevaluatedProperties")];
      if (evaluating.includes(node) || this.#objects[0] === node) return NO_SCHEMAS;
      throw constraintFault(`${node.place}.unevaluatedProperties`, "cannot be enforced within other schemas");
    });
  }

  /** Whether other names are written than those that are given. */
  #isOpen(): boolean {
    const speaks = this.#objects.some(
      ({ schema }) => schema.additionalProperties !== undefined || schema.patternProperties !== undefined,
    );
    const names = this.#objects.some(({ schema }) => mapOf(schema.properties).length > 0);
    return speaks || !names;
  }

  /** Members of other names; undefined where there are none. */
  #free(): Expression | undefined {
    const names = this.#nameSchemas();
    const areListed = names.length > 0 && this.#values.listed(names) !== undefined;
    if (!this.#isOpen() || areListed) return undefined;
    const patterns = new Map(
      this.#objects.flatMap((node) =>
        mapOf(node.schema.patternProperties).map(([pattern]) => [pattern, `${node.place}.patternProperties`] as const),
      ),
    );
    if (patterns.size > NAME_PATTERNS_MAX)
      throw constraintFault(`${this.#place}.patternProperties`, `has more than ${NAME_PATTERNS_MAX} patterns`);
    const list = [...patterns];
    const options = Array.from({ length: 2 ** list.length }, (_, bits) =>
      this.#freeMember(list, new Set(list.flatMap(([pattern], i) => ((bits >> i) & 1 ? [pattern] : [])))),
    );
    const member = choice(...options.filter((option) => !isNothing(option)));
    return isNothing(member) ? undefined : this.#values.rules.add(member);
  }

  /** Members whose names some of the patterns find, and the others do not. */
  #freeMember(
    patterns: ReadonlyArray<readonly [pattern: string, place: string]>,
    found: ReadonlySet<string>,
  ): Expression {
    const schemas = this.#objects.flatMap((node) => {
      const own = mapOf(node.schema.patternProperties).flatMap(([pattern, one]): readonly SchemaNode[] =>
        found.has(pattern) ? [this.#values.child(node, one, `patternProperties.${pattern}`)] : NO_SCHEMAS,
      );
      const { additionalProperties } = node.schema;
      if (own.length > 0 || additionalProperties === undefined) return own;
      return [this.#values.child(node, additionalProperties, "additionalProperties")];
    });
    const speaks = this.#objects.some(({ schema }) => schema.additionalProperties !== undefined);
    // Patterns alone say nothing of other names: those are then not written.
    if (found.size === 0 && patterns.length > 0 && !speaks) return choice();
    const unevaluated = this.#unevaluated(
      ({ schema }) =>
        schema.additionalProperties !== undefined || mapOf(schema.patternProperties).some(([one]) => found.has(one)),
    );
    const all = [...schemas, ...unevaluated];
    if (all.some(({ schema }) => schema === false)) return choice();
    const name = this.#freeName(patterns, found);
    return isNothing(name) ? name : this.#member(name, all);
  }

  #freeName(
    patterns: ReadonlyArray<readonly [pattern: string, place: string]>,
    found: ReadonlySet<string>,
  ): Expression {
    const { rules, budget } = this.#values;
    const alternatives = this.#values.alternatives(this.#nameSchemas());
    const machines = patterns.flatMap(([pattern, place]): Machine[] => {
      const asked = stringQuery([], this.#values.patterns);
      if (found.has(pattern)) return [this.#values.patterns.machine(pattern, place)];
      return refusalMachines({ ...asked, refusedPatterns: [[pattern, place]] }, this.#values.patterns);
    });
    const { namePattern } = this.#form;
    if (namePattern !== undefined) machines.push(this.#values.patterns.machine(namePattern, this.#place));
    if (this.#names.size > 0) machines.push(complementMachine(listMachine([...this.#names])));
    const names = alternatives.map((nodes) => {
      const query = stringQuery(nodes, this.#values.patterns);
      const own = [
        ...query.patterns.map(([pattern, place]) => this.#values.patterns.machine(pattern, place)),
        ...refusalMachines(query, this.#values.patterns),
        lengthMachine(query.lengthMin, query.lengthMax),
      ];
      const automaton = intersect([...machines, ...own], budget, this.#place);
      return automaton.length === 0 ? choice() : this.#form.names(automaton, rules);
    });
    return choice(...names.filter((one) => !isNothing(one)));
  }
}
