import { ContentPart } from "../read/content.ts";
import { Message } from "../read/messages.ts";
import { Tool } from "../read/tools.ts";
import { HINT_FIELDS, SERVED_ELSEWHERE_FIELDS, UNSUPPORTED_FIELDS } from "../read/unsupported.ts";
import { ChatLogprobs, CompletionLogprobs } from "../write/logprobs.ts";
import { Usage } from "../write/usage.ts";
import type { NamedSchema } from "./endpoint.ts";

const list = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");

/** What holds of all endpoints. */
export const DESCRIPTION = `OpenAI's interface, with vLLM's additional fields and its routes for tokens, and Anthropic's messages.

A field that is \`null\` is a field that is absent. Fields that nobody knows are ignored.

What only asks for speed, price, effort or keeping passes, without effect: ${list(HINT_FIELDS)}.

What changes an answer's form, what it may hold or what it is made from is served, or refused by its name unless its value changes nothing: \
${list(UNSUPPORTED_FIELDS)}. So is what one endpoint serves and another does not: ${list(SERVED_ELSEWHERE_FIELDS)}.

A path that clients of OpenAI's, Anthropic's, vLLM's or Ollama's servers know and that is not served is answered with 404 and a sentence that says why, or what is in its place: \`/v1/embeddings\`, \
images, audio, moderations, fine-tuning, assistants, conversations, vector stores, containers and agents, \`/v1/responses/compact\`, stored chats, \`/v1/messages/batches\`, accounts' administration.

Every error is OpenAI's error object (Anthropic's for its messages): a sentence, the field at fault, and a code. Errors that may pass (429, 503) say in \`Retry-After\` when \
to come back.

A generating request with an \`Idempotency-Key\` (1 to 255 printable characters) is computed once: who sends the same body with the same key, a tenant's or the house's own, gets the same answer for an hour, from any router \
that shares the store, also while it is being computed, by this one or by another, whose events come some 200 ms later then. The key with another body is refused with 422 (\`idempotency_key_reused\`), and with 409 \
(\`idempotency_key_in_use\`) while a router of an older build computes it, or where a router finds that another one has taken its work over. Where the router that computed it has gone, the one that is asked goes on with its work, some three seconds later, or at once where it ended in order. What nobody reads goes on for 30 seconds. What takes more than 4 MiB in the store is not kept, and nobody else can give it. \
A request that failed is forgotten; what a stream had delivered that ended with 503 stays, and is gone on with.

Events of a stream with a key have ids. A client whose connection breaks sends the same body with the same key and \`Last-Event-ID\`, the id of the last event that it has, to any router, until it is answered, and gets the events behind that one:

\`\`\`
curl -N http://router/v1/chat/completions -H 'content-type: application/json' -H 'idempotency-key: 7f3a' \\
  -H 'last-event-id: 41' -d '{"model": "nano", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'
\`\`\`

An id that is none of the answer's, or whose events were not kept, is refused with 404 (\`not_found\`): the request is to be sent without it then, for the whole of an answer, or with another key.

Every answer, also an error or a stream, has \`x-request-id\`: the client's own where it has up to 128 printable characters, else one made here. \
\`GET /debug/placement\` knows a request by it too. Over gRPC it is metadata of the same name.`;

/** Parts of the endpoints' schemas that have a name of their own. */
export const PARTS: readonly NamedSchema[] = [
  { name: "Message", schema: Message },
  { name: "ContentPart", schema: ContentPart },
  { name: "Tool", schema: Tool },
  { name: "ChatLogprobs", schema: ChatLogprobs },
  { name: "CompletionLogprobs", schema: CompletionLogprobs },
  { name: "Usage", schema: Usage },
];
