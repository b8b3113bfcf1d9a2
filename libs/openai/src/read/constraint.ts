import { schemaGrammar } from "@drover/grammar";
import { type Static, Type } from "typebox";
import type { Constraint } from "../request/generation-query.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";

const TextFormat = Type.Object({ type: Type.Literal("text") });
const JsonObjectFormat = Type.Object({ type: Type.Literal("json_object") });
const JsonSchemaFormat = Type.Object({
  type: Type.Literal("json_schema"),
  json_schema: Type.Object({
    name: optional(Type.String()),
    description: optional(Type.String()),
    schema: optional(Type.Unknown({ description: "The JSON Schema that the answer matches." })),
    strict: optional(Type.Boolean({ description: "Taken and without effect: every schema is enforced." })),
  }),
});

/** What an answer must match. */
export const constraintFields = {
  response_format: optional(
    Type.Union([TextFormat, JsonObjectFormat, JsonSchemaFormat], {
      discriminator: { propertyName: "type" },
      description: "The answer is free, any JSON object, or matches a JSON Schema.",
      [SAYS]: "is not supported: a format must be text, json_object or json_schema",
    }),
  ),
};

const ConstraintBody = Type.Object(constraintFields);

/** The grammar of what the answer must match; undefined where it is free. Errors: `invalid_argument`, naming the place that cannot be enforced. */
export function readConstraint({ response_format: format }: Static<typeof ConstraintBody>): Constraint | undefined {
  if (format === undefined || format === null || format.type === "text") return undefined;
  if (format.type === "json_object") return constraint({ type: "object" }, "response_format");
  return constraint(format.json_schema.schema ?? {}, "response_format.json_schema.schema");
}

const constraint = (schema: unknown, field: string): Constraint => ({ grammar: schemaGrammar(schema, field), field });
