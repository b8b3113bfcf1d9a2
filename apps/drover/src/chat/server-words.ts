/** A router's address without a slash or `/v1` at its end, as people copy it. */
export const serverAddress = (url: string): string => url.replace(/\/+$/, "").replace(/\/v1$/, "");

/** What a refusal says in OpenAI's shape, also where `error` is a text; undefined where something else answered. */
export function errorMessage(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } | string };
    return typeof error === "string" ? error : error?.message;
  } catch {
    // Not OpenAI's shape: something else listens there.
    return undefined;
  }
}
