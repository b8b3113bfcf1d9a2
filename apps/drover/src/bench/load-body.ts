import type { PlannedPrompt } from "./load-plan.ts";

export type BodySettings = Readonly<{
  api: "chat" | "completions";
  ignoreEos: boolean;
  temperature: number;
  /** URLs of pictures, which every prompt has before its text. */
  pictures: readonly string[];
  schema: unknown;
}>;

/** The path below the server's address. */
export const pathOf = ({ api }: BodySettings): string => (api === "chat" ? "/v1/chat/completions" : "/v1/completions");

/** A streaming request as OpenAI's API has it. A schema ends an answer, so `ignore_eos` is not said with one. */
export function loadBody(
  model: string,
  prompt: PlannedPrompt,
  settings: BodySettings,
): Readonly<Record<string, unknown>> {
  const { api, ignoreEos, temperature, schema } = settings;
  return {
    model,
    ...(api === "chat"
      ? { messages: [{ role: "user", content: contentOf(prompt, settings) }] }
      : { prompt: prompt.text }),
    max_tokens: prompt.outputTokens,
    temperature,
    stream: true,
    stream_options: { include_usage: true },
    ...(ignoreEos && schema === undefined ? { ignore_eos: true } : {}),
    ...(schema === undefined
      ? {}
      : { response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema } } }),
  };
}

function contentOf({ text }: PlannedPrompt, { pictures }: BodySettings): unknown {
  if (pictures.length === 0) return text;
  return [...pictures.map((url) => ({ type: "image_url", image_url: { url } })), { type: "text", text }];
}
