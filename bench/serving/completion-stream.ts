import { type Agent, request } from "node:http";

const WORDS = 100;

/** A stream that was read to its end: milliseconds to its first token, and between one chunk of bytes and the next. */
export type StreamTimes = Readonly<{ firstMs: number; gapsMs: readonly number[] }>;

let serial = 0;
/** Words that no other prompt of this process begins with. */
function distinctPrompt(words: number): string {
  const prompt = Array.from({ length: words }, (_, at) => `word${(serial * 37 + at * 11) % 997}`).join(" ");
  serial++;
  return prompt;
}

/** Asks for a streaming completion of exactly so many tokens. Errors: any other answer than a whole stream. */
export function streamCompletion(
  url: string,
  {
    tokens,
    agent,
    model = "nano",
    words = WORDS,
    prompt = distinctPrompt(words),
    onFirst = () => undefined,
  }: Readonly<{
    tokens: number;
    agent: Agent;
    model?: string;
    words?: number;
    prompt?: string | readonly number[];
    onFirst?: () => void;
  }>,
): Promise<StreamTimes> {
  const began = performance.now();
  const body = { model, prompt, max_tokens: tokens, min_tokens: tokens, ignore_eos: true, stream: true };
  const { promise, resolve, reject } = Promise.withResolvers<StreamTimes>();
  const asked = request(`${url}/v1/completions`, {
    method: "POST",
    agent,
    headers: { "content-type": "application/json" },
  });
  asked.on("error", reject);
  asked.on("response", (answer) => {
    const times: number[] = [];
    let tail = "";
    answer.on("data", (bytes: Buffer) => {
      times.push(performance.now());
      if (times.length === 1) onFirst();
      tail = (tail + bytes.toString("latin1")).slice(-300);
    });
    answer.on("error", reject);
    answer.on("end", () => {
      const [first] = times;
      if (answer.statusCode !== 200 || first === undefined || !tail.includes("[DONE]"))
        reject(new Error(`${answer.statusCode}: a stream ended with ${tail}`));
      else resolve({ firstMs: first - began, gapsMs: times.slice(1).map((ms, at) => ms - (times[at] ?? ms)) });
    });
  });
  asked.end(JSON.stringify(body));
  return promise;
}
