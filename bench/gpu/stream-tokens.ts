import { Agent, request } from "node:http";

/** A stream that was read to its end: milliseconds to its first token, and each token with when it came (several of one event at once). */
export type StreamTokens = Readonly<{ firstMs: number; times: readonly number[]; tokens: readonly number[] }>;

const agent = new Agent({ keepAlive: true });

/** Asks for a greedy streaming completion of exactly so many tokens, and tells of the first. Throws for any other answer. */
export function streamTokens(
  url: string,
  model: string,
  prompt: readonly number[],
  count: number,
  onFirst: () => void = () => undefined,
): Promise<StreamTokens> {
  const began = performance.now();
  const body = {
    model,
    prompt,
    max_tokens: count,
    ignore_eos: true,
    temperature: 0,
    stream: true,
    return_token_ids: true,
  };
  const { promise, resolve, reject } = Promise.withResolvers<StreamTokens>();
  const headers = { "content-type": "application/json" };
  const asked = request(`${url}/v1/completions`, { method: "POST", agent, headers });
  asked.on("error", reject);
  asked.on("response", (answer) => {
    const times: number[] = [];
    const tokens: number[] = [];
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (part: string) => {
      const now = performance.now();
      text += part;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        if (!event.startsWith("data: {")) continue;
        const { choices } = JSON.parse(event.slice(6)) as { choices?: { token_ids?: number[] | null }[] };
        for (const token of choices?.[0]?.token_ids ?? []) {
          if (times.length === 0) onFirst();
          times.push(now);
          tokens.push(token);
        }
      }
    });
    answer.on("error", reject);
    answer.on("end", () => {
      const [first] = times;
      if (answer.statusCode !== 200 || first === undefined || times.length !== count)
        reject(new Error(`${answer.statusCode}: ${times.length} tokens of ${count}: ${text.slice(0, 500)}`));
      else resolve({ firstMs: first - began, times, tokens });
    });
  });
  asked.end(JSON.stringify(body));
  return promise;
}

/** The number that a share of them is below. */
export function rank(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}
