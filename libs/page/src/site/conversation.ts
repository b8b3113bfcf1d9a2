import type { ApiClient, ChatMessage, ContentPart } from "./api-client.ts";
import type { Attachment } from "./attachments.ts";
import type { ChatSettings } from "./chat-settings.ts";

/** A question, with what was attached to it, and the answer as far as it has come. Times are milliseconds of one clock. */
export type Turn = Readonly<{
  question: string;
  attachments: readonly Attachment[];
  answer: string;
  state: "waiting" | "streaming" | "done" | "stopped" | "failed";
  problem?: string;
  finish?: string;
  askedMs: number;
  firstMs?: number;
  lastMs?: number;
  tokenCount: number;
}>;

/** A turn that was just asked. */
export const askedTurn = (question: string, attachments: readonly Attachment[], askedMs: number): Turn => ({
  ...{ question, attachments, answer: "", state: "waiting", askedMs, tokenCount: 0 },
});

/** Milliseconds to the first token, and tokens a second behind it; undefined where there were too few. */
export function speedOf({
  askedMs,
  firstMs,
  lastMs,
  tokenCount,
}: Turn): { firstTokenMs: number; perSecond?: number } | undefined {
  if (firstMs === undefined || lastMs === undefined) return undefined;
  const firstTokenMs = firstMs - askedMs;
  if (tokenCount < 2 || lastMs <= firstMs) return { firstTokenMs };
  return { firstTokenMs, perSecond: ((tokenCount - 1) * 1000) / (lastMs - firstMs) };
}

/** The request for the last turn's answer, behind the others. */
export function chatBody(turns: readonly Turn[], model: string, settings: ChatSettings): Record<string, unknown> {
  const messages: ChatMessage[] = settings.system.trim() === "" ? [] : [{ role: "system", content: settings.system }];
  for (const [i, turn] of turns.entries()) {
    messages.push({ role: "user", content: contentOf(turn) });
    if (i < turns.length - 1) messages.push({ role: "assistant", content: turn.answer });
  }
  return { model, messages, stream: true, stream_options: { include_usage: true }, ...settings.sampling() };
}

function contentOf({ question, attachments }: Turn): string | ContentPart[] {
  const texts = attachments.flatMap(({ name, text }) => (text === undefined ? [] : [`${name}:\n${text}`]));
  const text = [...texts, question].join("\n\n");
  const pictures = attachments.flatMap(({ url }) =>
    url === undefined ? [] : [{ type: "image_url" as const, image_url: { url } }],
  );
  return pictures.length === 0 ? text : [...pictures, { type: "text", text }];
}

/** Streams the answer to the last turn; `onChange` gets the turn after each piece. Never throws: a failure is in the turn. */
export async function answerTurn(
  client: ApiClient,
  body: Record<string, unknown>,
  turn: Turn,
  signal: AbortSignal,
  onChange: (turn: Turn) => void,
): Promise<void> {
  let current = turn;
  const change = (part: Partial<Turn>) => {
    current = { ...current, ...part };
    onChange(current);
  };
  try {
    for await (const { text, finish, tokenCount } of client.chat(body, signal)) {
      const now = performance.now();
      if (text !== undefined)
        change({
          ...{ answer: current.answer + text, state: "streaming", lastMs: now, tokenCount: current.tokenCount + 1 },
          ...(current.firstMs === undefined ? { firstMs: now } : {}),
        });
      if (finish !== undefined) change({ finish });
      if (tokenCount !== undefined) change({ tokenCount });
    }
    change({ state: "done" });
  } catch (error) {
    if (signal.aborted) change({ state: "stopped" });
    else change({ state: "failed", problem: error instanceof Error ? error.message : String(error) });
  }
}
