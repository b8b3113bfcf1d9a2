import { type OpenApiDocument, openApiDocument } from "../../libs/openai/src/index.ts";

/** Where the page is, relative to the repository. */
export const API_PAGE = "docs/api.md";

type Operation = NonNullable<OpenApiDocument["paths"][string]>[string];
type Schema = NonNullable<OpenApiDocument["components"]["schemas"][string]>;

/** The HTTP interface as a page, from the document that the router serves. */
export function apiPage(): string {
  const document = openApiDocument();
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationText(method, path, operation)),
  );
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) => schemaText(name, schema));
  return [
    "# HTTP interface",
    "<!-- Written by `npm run api-page` from the schemas in libs/openai: change those. -->",
    "A router serves this page's machine-readable form, an OpenAPI 3.1 document, at `/openapi.json`. Over gRPC there are [services](grpc.md) beside it.",
    document.info.description,
    "## Endpoints",
    ...operations,
    "## Schemas",
    ...schemas,
  ]
    .join("\n\n")
    .concat("\n");
}

function operationText(method: string, path: string, operation: Operation): string {
  const { summary, description, parameters = [], requestBody, responses, security } = operation;
  const asked = parameters.map((each) => `\`${each.name}\` (${each.in}): ${each.description}`);
  const lines = [
    `### ${method.toUpperCase()} ${path}`,
    `${summary}.${description === undefined ? "" : ` ${description}`}${security.length === 0 ? " Asked for without a key." : ""}`,
    ...(asked.length === 0 ? [] : [`Asked with ${asked.join("; ")}`]),
    ...(requestBody === undefined ? [] : [`Body: ${contentText(requestBody.content)}.`]),
    responseTable(responses),
  ];
  return lines.join("\n\n");
}

function responseTable(responses: Operation["responses"]): string {
  const rows = Object.entries(responses).map(([status, { description, content = {} }]) => {
    const told = status === "200" ? `${contentText(content)}. ${description}` : description;
    return `| ${status} | ${told} |`;
  });
  return ["| status | answer |", "|---|---|", ...rows].join("\n");
}

function contentText(content: Readonly<Record<string, Readonly<{ schema: Schema }>>>): string {
  return Object.entries(content)
    .map(([mediaType, { schema }]) => `\`${mediaType}\` ${typeText(schema)}`)
    .join(", or ");
}

function schemaText(name: string, schema: Schema): string {
  const fields = Object.entries(schema.properties ?? {});
  const head = `### ${name}`;
  if (fields.length === 0) return `${head}\n\n${typeText(schema)}`;
  const rows = fields.map(
    ([field, part]) =>
      `| \`${field}\`${schema.required?.includes(field) === true ? " (required)" : ""} | ${typeText(part)} | ${cell(part)} |`,
  );
  return [head, ["| field | type | |", "|---|---|---|", ...rows].join("\n")].join("\n\n");
}

/** What a value is: its type with its bounds, and what it has inside. */
function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) return linkTo(schema.$ref);
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" or ");
  const types = [schema.type ?? "any"].flat();
  return types.map((type) => `${type}${type === "null" ? "" : insideText(schema)}`).join(" or ") + boundsText(schema);
}

function insideText({ items, additionalProperties, properties }: Schema): string {
  if (items !== undefined) return ` of ${typeText(items)}`;
  if (additionalProperties !== undefined) return ` of ${typeText(additionalProperties)}`;
  const names = Object.entries(properties ?? {}).map(([name, part]) => `\`${name}\`: ${typeText(part)}`);
  return names.length === 0 ? "" : ` {${names.join(", ")}}`;
}

function boundsText(schema: Schema): string {
  const { minimum, exclusiveMinimum, maximum, minItems, maxItems, maxLength } = schema;
  const bounds = [
    minimum === undefined ? "" : `from ${minimum}`,
    exclusiveMinimum === undefined ? "" : `above ${exclusiveMinimum}`,
    maximum === undefined ? "" : `to ${maximum}`,
    minItems === undefined ? "" : "not empty",
    maxItems === undefined ? "" : `at most ${maxItems}`,
    maxLength === undefined ? "" : `at most ${maxLength} characters`,
  ].filter((bound) => bound !== "");
  return bounds.length === 0 ? "" : ` (${bounds.join(", ")})`;
}

function cell({ description = "", default: standard }: Schema): string {
  const silent = standard === undefined ? "" : ` Default: \`${JSON.stringify(standard)}\`.`;
  return `${description}${silent}`.trim().replaceAll("|", "\\|");
}

function linkTo(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return `[${name}](#${name.toLowerCase()})`;
}
