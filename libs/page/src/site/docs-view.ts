import { h } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ApiClient } from "./api-client.ts";

type Schema = Readonly<{
  type?: string | readonly string[];
  description?: string;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  $ref?: string;
  enum?: readonly unknown[];
}>;

type Operation = Readonly<{
  summary?: string;
  description?: string;
  requestBody?: Readonly<{ content?: Readonly<Record<string, Readonly<{ schema?: Schema }>>> }>;
  parameters?: readonly Readonly<{ name: string; description?: string; required?: boolean }>[];
}>;

/** What this page reads of OpenAPI's document. */
export type ApiDocument = Readonly<{
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components?: Readonly<{ schemas?: Readonly<Record<string, Schema>> }>;
}>;

/** The interface, from the document that describes it to programs. */
export function DocsView({ client }: { client: ApiClient }) {
  const [document, setDocument] = useState<ApiDocument>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    client.openApi().then(
      (found) => setDocument(found as ApiDocument),
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  }, [client]);
  const operations = Object.entries(document?.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return h(
    "main",
    { class: "docs" },
    h("h2", {}, "API"),
    h(
      "p",
      {},
      `Clients of OpenAI's interface take ${location.origin}/v1 as their base URL. `,
      h("a", { href: "/openapi.json" }, "openapi.json"),
      " is for programs.",
    ),
    problem === "" ? null : h("p", { class: "problem", role: "alert" }, problem),
    operations.map(({ path, method, operation }) =>
      h(
        "details",
        {},
        h("summary", {}, h("code", {}, `${method.toUpperCase()} ${path}`), " ", operation.summary ?? ""),
        operation.description === undefined ? null : h("p", {}, operation.description),
        h(Fields, { fields: fieldsOf(operation, document) }),
      ),
    ),
  );
}

type Field = Readonly<{ name: string; type: string; description: string }>;

/** Parameters and the body's fields, those that are required first. */
function fieldsOf(operation: Operation, document: ApiDocument | undefined): Field[] {
  const parameters = (operation.parameters ?? []).map(({ name, description, required }) => ({
    name: required === true ? `${name} (required)` : name,
    type: "parameter",
    description: description ?? "",
  }));
  const [content] = Object.values(operation.requestBody?.content ?? {});
  const schema = resolved(content?.schema, document);
  const required = new Set(schema?.required ?? []);
  const fields = Object.entries(schema?.properties ?? {})
    .sort(([a], [b]) => Number(required.has(b)) - Number(required.has(a)))
    .map(([name, field]) => ({
      name: required.has(name) ? `${name} (required)` : name,
      type: typeOf(resolved(field, document)),
      description: field.description ?? resolved(field, document)?.description ?? "",
    }));
  return [...parameters, ...fields];
}

function resolved(schema: Schema | undefined, document: ApiDocument | undefined): Schema | undefined {
  const name = schema?.$ref?.split("/").at(-1);
  return name === undefined ? schema : document?.components?.schemas?.[name];
}

function typeOf(schema: Schema | undefined): string {
  if (schema?.enum !== undefined) return schema.enum.map(String).join(", ");
  return [schema?.type ?? "any"].flat().join(" or ");
}

function Fields({ fields }: { fields: readonly Field[] }) {
  if (fields.length === 0) return null;
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Field", "Type", ""].map((title) => h("th", { scope: "col" }, title)),
      ),
    ),
    h(
      "tbody",
      {},
      fields.map(({ name, type, description }) =>
        h("tr", {}, h("td", {}, h("code", {}, name)), h("td", {}, type), h("td", {}, description)),
      ),
    ),
  );
}
