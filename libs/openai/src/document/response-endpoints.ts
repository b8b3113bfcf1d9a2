import { type TSchema, Type } from "typebox";
import { InputItemList } from "../responses/input-items.ts";
import { ResponseObject } from "../responses/response.ts";
import { ResponseCountBody, ResponseInputTokens } from "../responses/response-body.ts";
import { ResponseEvent } from "../responses/response-stream.ts";
import type { Endpoint, NamedSchema } from "./endpoint.ts";

const named = (name: string, schema: TSchema): NamedSchema => ({ name, schema });

/** What is asked about responses, but for making one. */
export const RESPONSE_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "post",
    path: "/v1/responses/input_tokens",
    tag: "Models and tokens",
    summary: "Counts the tokens that a response's prompt would have",
    body: named("ResponseCountRequest", ResponseCountBody),
    answer: named("ResponseInputTokens", ResponseInputTokens),
    errors: ["model_not_found", "not_found"],
  },
  {
    method: "get",
    path: "/v1/responses/{response}/input_items",
    tag: "Generating",
    summary: "Lists what a response that is kept was made from",
    description: "With the turns that it went on with, and without its instructions.",
    parameters: {
      response: { in: "path", description: "Its id." },
      limit: { in: "query", description: "So many at most, up to 100; 20 when absent.", isRequired: false },
      order: { in: "query", description: "`asc`, or `desc`, which it is when absent.", isRequired: false },
      after: { in: "query", description: "Those that come behind the one of this id.", isRequired: false },
    },
    answer: named("InputItemList", InputItemList),
    errors: ["invalid_argument", "not_found"],
  },
  {
    method: "get",
    path: "/v1/responses/{response}",
    tag: "Generating",
    summary: "Gives a response that is kept, or tells how far it is",
    description:
      "One that is computed in the background is streamed with `stream=true`, also while it is computed and from any router that shares the store; its events are kept for an hour, up to 4 MiB.",
    parameters: {
      response: { in: "path", description: "Its id." },
      stream: { in: "query", description: "`true`: as events. Only of one in the background.", isRequired: false },
      starting_after: {
        in: "query",
        description: "With `stream`: the events behind that of this `sequence_number`.",
        isRequired: false,
      },
    },
    answer: named("Response", ResponseObject),
    chunk: named("ResponseEvent", ResponseEvent),
    errors: ["invalid_argument", "not_found"],
  },
  {
    method: "post",
    path: "/v1/responses/{response}/cancel",
    tag: "Generating",
    summary: "Ends a response that is computed in the background",
    description:
      "Of one that was cancelled already nothing changes. Its stream ends by `response.failed`, whose response says `cancelled`.",
    parameters: { response: { in: "path", description: "Its id." } },
    answer: named("Response", ResponseObject),
    errors: ["invalid_argument", "not_found"],
  },
  {
    method: "delete",
    path: "/v1/responses/{response}",
    tag: "Generating",
    summary: "Forgets a response that is kept",
    parameters: { response: { in: "path", description: "Its id." } },
    answer: named("DeletedResponse", Type.Object({ id: Type.String(), deleted: Type.Literal(true) })),
    errors: ["not_found"],
  },
];
