import type { DroverError, ErrorCode } from "@drover/core";
import type { TSchema } from "typebox";
import type { GenerationQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import type { KeptNames, KeptParts, KeptResponse } from "../responses/kept-response.ts";
import type { Answer } from "../write/answer.ts";
import type { ReplyFrame, ReplyStream } from "../write/reply-frame.ts";

/** A schema, and the name that the document knows it by. */
export type NamedSchema = Readonly<{ name: string; schema: TSchema }>;

/** A route as its clients see it. */
export type Endpoint = Readonly<{
  method: "get" | "post" | "delete";
  /** With `{names}` for its variable parts. */
  path: string;
  tag: "Generating" | "Batches" | "Models and tokens" | "Operating";
  summary: string;
  description?: string;
  /** Variable parts of the path and the query string, by name. */
  parameters?: Readonly<Record<string, Readonly<{ in: "path" | "query"; description: string; isRequired?: boolean }>>>;
  body?: NamedSchema;
  /** What the body is; JSON unless given. */
  bodyType?: "multipart/form-data";
  answer: NamedSchema | Readonly<{ mediaType: string; description: string }>;
  /** The data of each server-sent event, where the answer can be streamed. */
  chunk?: NamedSchema;
  /** Asked for without an API key too. */
  isOpen?: boolean;
  /** Errors that it answers with besides those of every route. */
  errors: readonly ErrorCode[];
}>;

/** An endpoint that generates: how its request is read and its reply written. */
export type GenerationEndpoint = Endpoint &
  Readonly<{
    /** What the ids of its replies begin with. */
    idPrefix: string;
    /** What a body names of kept responses; undefined where it names none. */
    keptNames?: (body: unknown) => KeptNames | undefined;
    /** A query for each prompt, at least one. */
    read: (body: unknown, facts: ModelFacts, kept: KeptParts | undefined) => readonly GenerationQuery[];
    /** The reply, and what is kept of it for requests that go on with it. */
    whole: (frame: ReplyFrame, answer: Answer) => Readonly<{ body: unknown; kept?: KeptResponse | undefined }>;
    stream: (frame: ReplyFrame) => ReplyStream;
    /** A reply that is computed in the background, and what is kept of it, before it has ended. */
    pending?: (
      frame: ReplyFrame,
      status: "queued" | "in_progress",
    ) => Readonly<{ body: unknown; kept?: KeptResponse | undefined }>;
    /** The body that tells an error; OpenAI's unless given. */
    refusal?: (error: DroverError) => unknown;
  }>;
