import { ERROR_CODES, type ErrorCode } from "@drover/core";
import type { TSchema } from "typebox";
import { ErrorReply } from "../write/error.ts";
import { DESCRIPTION, PARTS } from "./description.ts";
import type { Endpoint, NamedSchema } from "./endpoint.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { SchemaNames, type SchemaObject } from "./schema-names.ts";

type Content = Readonly<Record<string, Readonly<{ schema: SchemaObject }>>>;
type Response = Readonly<{ description: string; content?: Content }>;
type Parameter = Readonly<{
  name: string;
  in: "path" | "query";
  required: boolean;
  description: string;
  schema: SchemaObject;
}>;

type Operation = Readonly<{
  tags: readonly string[];
  summary: string;
  description?: string;
  operationId: string;
  security: readonly Readonly<Record<string, readonly string[]>>[];
  parameters?: readonly Parameter[];
  requestBody?: Readonly<{ required: true; content: Content }>;
  responses: Readonly<Record<string, Response>>;
}>;

/** The interface in the terms of OpenAPI 3.1. Source: https://spec.openapis.org/oas/v3.1.1.html. */
export type OpenApiDocument = Readonly<{
  openapi: "3.1.1";
  info: Readonly<{ title: string; version: string; description: string; license: Readonly<Record<string, string>> }>;
  tags: readonly Readonly<{ name: string }>[];
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components: Readonly<{
    schemas: Readonly<Record<string, SchemaObject>>;
    securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }>;
}>;

const ERROR: NamedSchema = { name: "Error", schema: ErrorReply };

/** The whole HTTP interface, from the schemas by which requests are checked and replies are typed. */
export function openApiDocument(): OpenApiDocument {
  const names = new SchemaNames([ERROR, ...PARTS, ...ENDPOINTS.flatMap(schemasOf)]);
  const paths: Record<string, Record<string, Operation>> = {};
  for (const endpoint of ENDPOINTS) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: operation(endpoint, names) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Drover",
      version: "v1",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    tags: [...new Set(ENDPOINTS.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: names.definitions(),
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "Where the router has keys." } },
    },
  };
}

const isSchema = (answer: Endpoint["answer"]): answer is NamedSchema => "schema" in answer;

function schemasOf({ body, answer, chunk }: Endpoint): readonly NamedSchema[] {
  return [body, isSchema(answer) ? answer : undefined, chunk].filter((schema) => schema !== undefined);
}

function operation(endpoint: Endpoint, names: SchemaNames): Operation {
  const { tag, summary, description, parameters, body, bodyType = "application/json", isOpen = false } = endpoint;
  return {
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    operationId: operationId(endpoint),
    security: isOpen ? [] : [{ key: [] }, {}],
    ...(parameters !== undefined && { parameters: parametersOf(parameters) }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { [bodyType]: { schema: names.reference(body.schema) } } },
    }),
    responses: { "200": answered(endpoint, names), ...refused(endpoint, names) },
  };
}

/** As `postV1ChatCompletions`. */
function operationId({ method, path }: Endpoint): string {
  const words = path.split(/[^a-z0-9]+/i).filter((word) => word !== "");
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function parametersOf(parameters: NonNullable<Endpoint["parameters"]>): Parameter[] {
  return Object.entries(parameters).map(([name, { in: place, description, isRequired = true }]) => ({
    name,
    in: place,
    required: isRequired,
    description,
    schema: { type: "string" },
  }));
}

function answered({ answer, chunk }: Endpoint, names: SchemaNames): Response {
  if (!isSchema(answer))
    return { description: answer.description, content: { [answer.mediaType]: { schema: { type: "string" } } } };
  const whole = { "application/json": { schema: names.reference(answer.schema) } };
  if (chunk === undefined) return { description: "The answer.", content: whole };
  const anyOf = [names.reference(chunk.schema), names.reference(ErrorReply)];
  return {
    description:
      "The answer; with `stream` as server-sent events, whose data are chunks and at last `[DONE]`. An error that comes after the first chunk is an event of its own, and nothing follows it.",
    content: { ...whole, "text/event-stream": { schema: { anyOf } } },
  };
}

/** Errors of what is sent, and of how it is sent. */
const BODY_ERRORS = ["invalid_argument", "request_timeout", "payload_too_large", "unsupported_media_type"] as const;

/** The errors of an endpoint, by their HTTP status. */
function refused({ body, isOpen = false, errors }: Endpoint, names: SchemaNames): Record<string, Response> {
  const codes: readonly ErrorCode[] = [
    ...(body === undefined ? [] : BODY_ERRORS),
    ...(isOpen ? [] : (["unauthenticated"] as const)),
    ...errors,
    "internal",
  ];
  const byStatus = Map.groupBy(codes, (code) => String(ERROR_CODES[code].http));
  const content = { "application/json": { schema: names.reference(ERROR.schema as TSchema) } };
  return Object.fromEntries(
    [...byStatus].map(([status, ones]) => [
      status,
      { description: ones.map((code) => `\`${code}\``).join(", "), content },
    ]),
  );
}
