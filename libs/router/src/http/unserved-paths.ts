const WRITES_TEXT = "Llama 4 writes text";
const ANSWERS = "Drover answers requests, and keeps nothing else for its clients";
const ADMINISTRATION = "accounts are the operator's, who has them in a file of keys";
const AGENTS = "agents run at their client, which asks for each turn";

/** Served by one method alone. */
const CHATS = /^\/v1\/chat\/completions$/;
const CHATS_ARE_NOT_KEPT = "chats are not kept, and `store` has no effect on them; what /v1/responses answers is kept";

const BASE_URL = "a client's base URL";

/** What clients of other servers ask for by their defaults, or by a base URL that is not quite right, and why it is not here or what is in its place. */
const UNSERVED: readonly (readonly [RegExp, string])[] = [
  [
    /^\/v1\/v1(\/|$)/,
    `${BASE_URL} has /v1 where the client adds it: OpenAI's clients take one that ends in /v1, and Anthropic's one without it`,
  ],
  [
    /\/(chat\/completions|completions|responses|messages)\/(chat\/completions|completions|responses|messages|models)$/,
    `${BASE_URL} ends in /v1, and the client adds the rest of the path`,
  ],
  [
    /^\/openai(\/|$)/,
    "OpenAI's interface is below /v1, and not at Azure's paths: its plain client takes this server's address with /v1",
  ],
  [/^\/v1\/engines(\/|$)/, "engines have given way to models: a request names its own"],
  [/^\/v1\/edits$/, "it has given way to /v1/chat/completions, which is served"],
  [/^\/v1(alpha|beta\d?)(\/|$)/, "this is OpenAI's interface, below /v1, and not Gemini's"],
  [/^\/v1\/embeddings$/, `${WRITES_TEXT}, and no model for embeddings is served`],
  [/^\/(v1\/|v2\/)?(rerank|score|pooling|classify)$/, `${WRITES_TEXT}, and no model that ranks or sorts is served`],
  [/^\/v1\/audio\//, `${WRITES_TEXT}; it neither hears nor speaks`],
  [/^\/v1\/(realtime|live)(\/|$)/, `${WRITES_TEXT}; it neither hears nor speaks`],
  [/^\/v1\/images\//, `${WRITES_TEXT}: it reads images in messages, and makes none`],
  [/^\/v1\/videos(\/|$)/, `${WRITES_TEXT}, and makes no videos`],
  [
    /^\/v1\/(moderations|decisions|content_provenance_checks)$/,
    `${WRITES_TEXT}, and no model that judges it is served`,
  ],
  [/^\/v1\/(fine_tuning|evals|fine-tunes)(\/|$)/, "models are served as they are, and not trained or examined"],
  [/^\/v1\/(assistants|threads)(\/|$)/, "assistants have given way to /v1/responses, which is served"],
  [/^\/v1\/conversations(\/|$)/, "a conversation goes on by the previous_response_id of /v1/responses"],
  [
    /^\/v1\/responses\/compact$/,
    "a prompt may have the model's whole context, and no other model reads what one compacts: send a summary as input",
  ],
  [/^\/v1\/chat\/completions\/./, CHATS_ARE_NOT_KEPT],
  [/^\/v1\/vector_stores(\/|$)/, `${ANSWERS}: search at your side, and put what is found into the messages`],
  [/^\/v1\/uploads(\/|$)/, "a file comes in one request, to /v1/files"],
  [/^\/v1\/messages\/batches(\/|$)/, "lines for /v1/messages are taken by /v1/files and /v1/batches"],
  [/^\/v1\/complete$/, "it has given way to /v1/messages, which is served"],
  [
    /^\/v1\/(containers|skills|chatkit|agents|sessions|environments|deployments|deployment_runs|memory_stores|dreams|tunnels)(\/|$)/,
    AGENTS,
  ],
  [
    /^\/v1\/(organization|organizations|webhook_endpoints|webhook_event_types|vaults|user_profiles|compliance)(\/|$)/,
    ADMINISTRATION,
  ],
  [/^\/v1\/(un)?load_lora_adapter$/, "no adapters are served"],
  [/^\/api\//, "this is OpenAI's interface, below /v1, and not Ollama's"],
  [
    /^\/(generate|generate_stream|completion|infill|invocations|chat\/completions|completions|models|responses|messages|files|batches|embeddings)(\/|$)/,
    "OpenAI's interface is below /v1",
  ],
];

/** Why a path that clients of other servers know is not served, as the end of a sentence; empty for what nobody knows. */
export function whyUnserved(path: string, method: string): string {
  const asked = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  const reason = UNSERVED.find(([pattern]) => pattern.test(asked))?.[1];
  if (method === "GET" && CHATS.test(asked)) return `: ${CHATS_ARE_NOT_KEPT}`;
  return reason === undefined ? "" : `: ${reason}`;
}
