import { setTimeout as sleep } from "node:timers/promises";

/** A request for a stream. */
export type Ask = Readonly<{ path: string; body: object }>;

/** What a stream has said, as far as it does not depend on the call: each choice's text, its log-probabilities, the usage. Undefined: it had no end. */
export type Text = string | undefined;

/** Longer than any wait that is promised. */
const ASKED_MS_MAX = 60_000;
/** A stream that says nothing for so long is left: its router is dead or asleep. */
const SILENCE_MS_MAX = 4_000;

/** A client of a stream with an Idempotency-Key, which asks again where its connection breaks, for what is behind the last event that it has. */
export class KeyedReader {
  readonly #ask: Ask;
  readonly #key: string;
  readonly #events: string[] = [];
  #brokeAtMs: number | undefined;
  /** From its last event before its first router went to the next one. */
  resumedAfterMs: number | undefined;
  /** Events of its first router. */
  firstEventCount = 0;

  /** Without a key where that is empty. */
  constructor(ask: Ask, key: string) {
    this.#ask = ask;
    this.#key = key;
  }

  get isOver(): boolean {
    return this.#events.at(-1)?.includes("[DONE]") === true;
  }

  /** Reads from the first router until the stream ends or breaks. */
  async read(url: string): Promise<void> {
    await this.#read(url, () => {
      this.firstEventCount += 1;
    });
    this.#brokeAtMs = this.#lastEventMs;
  }

  /** Asks until the stream has its end. */
  async whole(url: string): Promise<Text> {
    const untilMs = performance.now() + ASKED_MS_MAX;
    while (!this.isOver && performance.now() < untilMs) {
      await this.#read(url, () => {
        if (this.#brokeAtMs !== undefined) this.resumedAfterMs ??= performance.now() - this.#brokeAtMs;
      });
      if (!this.isOver) await sleep(100);
    }
    return this.isOver ? this.#text() : undefined;
  }

  #lastEventMs = 0;

  async #read(url: string, onEvent: () => void): Promise<void> {
    const last = /^id: (\S+)/m.exec(this.#events.at(-1) ?? "")?.[1];
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), ASKED_MS_MAX);
    try {
      const reply = await fetch(url + this.#ask.path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(this.#key !== "" && { "idempotency-key": this.#key }),
          ...(last !== undefined && { "last-event-id": last }),
        },
        body: JSON.stringify(this.#ask.body),
        signal: silent.signal,
      });
      if (!reply.ok || reply.body === null) return;
      let text = "";
      for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const events = text.split("\n\n");
        text = events.pop() ?? "";
        for (const event of events.filter((one) => !one.startsWith(":"))) {
          onEvent();
          this.#lastEventMs = performance.now();
          this.#events.push(event);
        }
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE_MS_MAX);
      }
    } catch (error) {
      // A broken connection is what is looked for; any other fault is told.
      if (!(error instanceof TypeError) && !silent.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #text(): string {
    const texts = new Map<number, { text: string; logprobs: unknown[] }>();
    let usage: unknown;
    for (const event of this.#events) {
      const data = /^data: (.*)$/m.exec(event)?.[1] ?? "[DONE]";
      if (data === "[DONE]") continue;
      const chunk = JSON.parse(data);
      usage = chunk.usage ?? usage;
      for (const { index, text, logprobs } of chunk.choices) {
        const choice = texts.get(index) ?? { text: "", logprobs: [] };
        texts.set(index, choice);
        choice.text += text;
        choice.logprobs.push(...(logprobs?.tokens ?? []));
      }
    }
    const { prompt_tokens, completion_tokens } = usage as Record<string, number>;
    return JSON.stringify([[...texts].sort(([a], [b]) => a - b), prompt_tokens, completion_tokens]);
  }
}
