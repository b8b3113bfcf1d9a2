import { connect, type Socket } from "node:net";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32, deflateSync } from "node:zlib";
import type { LoneRouter } from "./lone-router.ts";
import { RawClient, rawRequest } from "./raw-client.ts";
import { residentBytes } from "./resident-bytes.ts";

const MIB = 2 ** 20;
const MODEL = "nano";

/** What the router is told for the fill: less of each than the defaults, so that a small machine has room for it. */
export const FILL_FLAGS = [
  ...["--max-body", "16MiB", "--body-memory", "128MiB", "--prompt-memory", "64MiB", "--answer-memory", "128MiB"],
  ...["--unread-memory", "64MiB", "--image-memory", "64MiB", "--max-connections", "1024"],
];
export const FILL_CONTEXT_TOKENS = 4_000_000;

const [BODY_BYTES, PROMPT_TOKENS, IDLE_CONNECTIONS] = [16 * MIB - 4096, 800_000, 700];
/** Requests that fill a budget by what each holds: 3.8 MiB of prompts, 4.2 of answers, which are reserved, and up to 4 of what is unread, which a worker has to say first. */
const [PROMPTS, ANSWERS, SLOW_READERS] = [16, 28, 22];
/** With one more large bodies have all that they may have, 7/8: it is left for what the threads work on. */
const [HELD_BODIES, HELD_BODIES_PART, DRIBBLE_MS] = [6, 0.7, 5_000];
/** What of a budget counts as filled. */
export const FILLED_PART = 0.75;
/** A budget that fills no further in this time, or is not filled in that one, is left as it is: a machine with others needs minutes for what is unread. */
const [STALL_MS, FILL_MS_MAX] = [120_000, 420_000];
const [SETTLE_MS_MAX, LOOK_MS, IDLE_MS] = [120_000, 50, 60_000];

export type Filled = Readonly<{
  /** Resident bytes, at most, and once all is given back. */
  most: number;
  after: number;
  /** Of each kind: bytes that may be kept, that were at most, and that are once all is given back. */
  kinds: ReadonlyMap<string, Readonly<{ budget: number; most: number; after: number }>>;
  /** How requests ended that were to have an end, by status. */
  statuses: ReadonlyMap<number, number>;
}>;

/** Fills each of a router's budgets on purpose, all at once, and looks at what is resident meanwhile. */
export class MemoryFill {
  readonly #router: LoneRouter;
  readonly #pid: number;
  readonly #sockets: Socket[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #most = new Map<string, number>();
  readonly #statuses = new Map<number, number>();
  #resident = 0;

  constructor(router: LoneRouter) {
    this.#router = router;
    this.#pid = router.pids()[0] ?? 0;
  }

  async run(): Promise<Filled> {
    const look = setInterval(() => {
      this.#resident = Math.max(this.#resident, residentBytes(this.#pid));
    }, LOOK_MS);
    const read = setInterval(
      () =>
        void this.#figures()
          .then((now) => this.#note(now))
          .catch(() => undefined),
      500,
    );
    for (let i = 0; i < IDLE_CONNECTIONS; i++) this.#open();
    await Promise.all([this.#work(), this.#pictures()]);
    // What must be said first comes first, and bodies last: they have two minutes.
    this.#holdReaders();
    await this.#whenFilled("unread");
    this.#holdAnswers();
    await this.#whenFilled("answers");
    await this.#holdPrompts();
    await this.#whenFilled("prompts");
    this.#holdBodies();
    await this.#whenFilled("bodies", HELD_BODIES_PART);
    await this.#work();
    clearInterval(look);
    clearInterval(read);
    this.#note(await this.#figures());
    return await this.#end();
  }

  /** Bodies of which the rest comes drop by drop. */
  #holdBodies(): void {
    for (let i = 0; i < HELD_BODIES; i++) {
      const socket = this.#open();
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`);
      socket.write(Buffer.alloc(BODY_BYTES - 1000, " "));
      this.#timers.push(setInterval(() => socket.write(" "), DRIBBLE_MS));
    }
  }

  /** Long prompts whose answers take as long as all of this. */
  async #holdPrompts(): Promise<void> {
    const prompt = Array.from({ length: PROMPT_TOKENS }, (_, i) => 64 + (i % 26));
    for (let i = 0; i < PROMPTS; i++) {
      const body = { model: MODEL, prompt: [...prompt, 64 + i], max_tokens: 100_000, stream: true };
      this.#open()
        .resume()
        .write(rawRequest("POST", "/v1/completions", body));
      await sleep(500);
    }
  }

  /** Whole answers, with all alternatives of each token, which nobody reads. */
  #holdAnswers(): void {
    for (let i = 0; i < ANSWERS; i++) this.#ask({ max_tokens: 2000 });
  }

  /** Streams that nobody reads. */
  #holdReaders(): void {
    for (let i = 0; i < SLOW_READERS; i++)
      this.#ask({ max_tokens: 8000, stream: true, stream_options: { include_usage: true } });
  }

  #ask(more: object): void {
    const body = {
      model: MODEL,
      messages: [{ role: "user", content: "x" }],
      logprobs: true,
      top_logprobs: 20,
      ...more,
    };
    this.#open()
      .pause()
      .write(rawRequest("POST", "/v1/chat/completions", body));
  }

  /** What takes its threads the most: texts of which each letter is a token, and lists of ids. They are refused as too long. */
  async #work(): Promise<void> {
    const wide = { model: MODEL, messages: [{ role: "user", content: "\u0436\u00e9".repeat(BODY_BYTES / 4 - 100) }] };
    const bodies = [
      rawRequest("POST", "/v1/chat/completions", wide),
      Buffer.concat([
        Buffer.from(
          `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${17 + 16 + BODY_BYTES - 200}\r\n\r\n`,
        ),
        Buffer.from(`{"model":"nano",     "prompt":[`.padEnd(33 - 2)),
        Buffer.from("1,".repeat((BODY_BYTES - 200 - 2) / 2)),
        Buffer.from("1]} "),
      ]),
    ];
    const send = async (which: number) => {
      const client = new RawClient(this.#router.url);
      for (let i = 0; i < 4; i++) {
        const bytes = bodies[which];
        if (bytes !== undefined) this.#count(await client.ask({ bytes }).catch(() => 0));
        // Who is refused for a body gets its connection closed behind the answer.
        client.close();
      }
    };
    await Promise.all([send(0), send(0), send(1)]);
  }

  /** Pictures near the most pixels, and smaller ones. */
  async #pictures(): Promise<void> {
    const urls = [7000, 7000, 2800, 2800]
      .map((side, i) => pngOf(side, i))
      .map((file) => `data:image/png;base64,${file.toString("base64")}`);
    const send = async (url: string) => {
      const client = new RawClient(this.#router.url);
      const content = [
        { type: "image_url", image_url: { url } },
        { type: "text", text: "x" },
      ];
      const bytes = rawRequest("POST", "/v1/chat/completions", {
        model: MODEL,
        messages: [{ role: "user", content }],
        max_tokens: 1,
      });
      this.#count(await client.ask({ bytes }).catch(() => 0));
      client.close();
    };
    await Promise.all(urls.map(send));
  }

  /** Until a budget is filled, or fills no further. */
  async #whenFilled(kind: string, part = FILLED_PART): Promise<void> {
    const began = performance.now();
    let [most, grewAt] = [-1, began];
    while (performance.now() - began < FILL_MS_MAX && performance.now() - grewAt < STALL_MS) {
      const now = await this.#figures();
      this.#note(now);
      const { used = 0, budget = 0 } = now.get(kind) ?? {};
      if (used >= part * budget) break;
      if (used > most) [most, grewAt] = [used, performance.now()];
      await sleep(1000);
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(
      `${kind}: ${((this.#most.get(kind) ?? 0) / MIB).toFixed(0)} MiB after ${seconds} s, load ${loadavg()[0]?.toFixed(1)}`,
    );
  }

  async #end(): Promise<Filled> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
    let now = await this.#figures();
    for (
      let waitedMs = 0;
      waitedMs < SETTLE_MS_MAX && [...now.values()].some(({ used }) => used > 0);
      waitedMs += 1000
    ) {
      await sleep(1000);
      now = await this.#figures();
    }
    await sleep(IDLE_MS);
    const kinds = [...now].map(
      ([kind, { used, budget }]) => [kind, { budget, most: this.#most.get(kind) ?? 0, after: used }] as const,
    );
    return { most: this.#resident, after: residentBytes(this.#pid), kinds: new Map(kinds), statuses: this.#statuses };
  }

  #open(): Socket {
    const { port, hostname } = new URL(this.#router.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    this.#sockets.push(socket);
    return socket;
  }

  #count(status: number): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  #note(now: ReadonlyMap<string, Readonly<{ used: number }>>): void {
    for (const [kind, { used }] of now) this.#most.set(kind, Math.max(this.#most.get(kind) ?? 0, used));
  }

  async #figures(): Promise<ReadonlyMap<string, Readonly<{ used: number; budget: number }>>> {
    const text = await (await fetch(`${this.#router.url}/metrics`)).text();
    const all = new Map<string, { used: number; budget: number }>();
    for (const [, name, kind = "", value] of text.matchAll(
      /^drover_router_memory_(bytes|budget_bytes)\{[^}]*kind="(\w+)"[^}]*\} (\S+)/gm,
    )) {
      const one = all.get(kind) ?? { used: 0, budget: 0 };
      all.set(kind, name === "bytes" ? { ...one, used: Number(value) } : { ...one, budget: Number(value) });
    }
    return all;
  }
}

/** A PNG of so many pixels a side, RGBA, no two alike. */
function pngOf(side: number, shade: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 6], 8);
  const rows = Buffer.alloc(side * (1 + 4 * side), shade * 16);
  for (let row = 0; row < side; row++) rows[row * (1 + 4 * side)] = 0;
  const chunk = (name: string, data: Buffer) => {
    const named = Buffer.concat([Buffer.from(name), data]);
    const frame = Buffer.alloc(named.length + 8);
    frame.writeUInt32BE(data.length, 0);
    frame.set(named, 4);
    frame.writeUInt32BE(crc32(named), named.length + 4);
    return frame;
  };
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level: 1 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
