import { assert } from "@drover/core";
import type { TSchema } from "typebox";
import { type JsonSchema, jsonSchema } from "../schema/sentences.ts";
import type { NamedSchema } from "./endpoint.ts";

/** A schema as the document has it: JSON Schema 2020-12, with references to others. */
export type SchemaObject = Readonly<{
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly SchemaObject[];
  items?: SchemaObject;
  properties?: Readonly<Record<string, SchemaObject>>;
  required?: readonly string[];
  additionalProperties?: SchemaObject;
  [keyword: string]: unknown;
}>;

/** The schemas of a document by their names: where one is a part of another, it stands there by its name. */
export class SchemaNames {
  readonly #nameOf = new Map<JsonSchema, string>();

  constructor(schemas: readonly NamedSchema[]) {
    for (const { name, schema } of schemas) this.#nameOf.set(jsonSchema(schema), name);
    assert(new Set(this.#nameOf.values()).size === this.#nameOf.size, "two schemas have two names");
  }

  /** The schema by its name, which it must have. */
  reference(schema: TSchema): SchemaObject {
    const name = this.#nameOf.get(jsonSchema(schema));
    assert(name !== undefined, "a schema of an endpoint has a name");
    return { $ref: `#/components/schemas/${name}` };
  }

  /** All of them, whole. */
  definitions(): Record<string, SchemaObject> {
    return Object.fromEntries([...this.#nameOf].map(([schema, name]) => [name, this.#whole(schema)]));
  }

  #part(schema: JsonSchema): SchemaObject {
    const name = this.#nameOf.get(schema);
    return name === undefined ? this.#whole(schema) : { $ref: `#/components/schemas/${name}` };
  }

  #whole(schema: JsonSchema): SchemaObject {
    const { anyOf, items, properties, patternProperties, ...keywords } = schema;
    const [others] = Object.values(patternProperties ?? {});
    return {
      ...keywords,
      ...(anyOf !== undefined && this.#union(anyOf)),
      ...(items !== undefined && { items: this.#part(items) }),
      ...(properties !== undefined && {
        properties: Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, this.#part(field)])),
      }),
      ...(others !== undefined && { additionalProperties: this.#part(others) }),
    };
  }

  /** A value that may be null too is written as one schema of two types, where it can be. */
  #union(branches: readonly JsonSchema[]): SchemaObject {
    const [first, second] = branches.map((branch) => this.#part(branch));
    const isNullable = branches.length === 2 && second?.type === "null";
    if (isNullable && typeof first?.type === "string" && first.enum === undefined && first.const === undefined)
      return { ...first, type: [first.type, "null"] };
    const { description, default: standard } = first ?? {};
    return {
      ...(isNullable && description !== undefined && { description }),
      ...(isNullable && standard !== undefined && { default: standard }),
      anyOf: branches.map((branch) => this.#part(branch)),
    };
  }
}
