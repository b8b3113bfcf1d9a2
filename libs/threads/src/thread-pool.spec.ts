import { neverAborted } from "@drover/core";
import { describe, expect, test } from "vitest";
import type { Script } from "./testing/scripted-thread.ts";
import { ThreadPool, type ThreadPoolOptions } from "./thread-pool.ts";

type Said = Readonly<{ said: string; bytes: Uint8Array }>;

const program = new URL("./testing/scripted-thread.ts", import.meta.url);
const startPool = (options: Partial<ThreadPoolOptions> = {}) =>
  new ThreadPool<Script, Said>({
    program,
    settings: "",
    noun: "word",
    threads: 1,
    queueMax: 100,
    runMsMax: 60_000,
    ...options,
  });
const say = (command: string, byteLength = 0) => ({ post: () => [{ command }, []] as const, byteLength });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a pool of threads", () => {
  test("gives its settings to each thread, and each caller the answer to its own request", async () => {
    await using pool = startPool({ threads: 2, settings: "> " });
    const commands = Array.from({ length: 20 }, (_, index) => `word ${index}`);
    const answers = await Promise.all(commands.map((command) => pool.run(say(command), neverAborted)));
    expect(answers.map(({ said }) => said)).toEqual(commands.map((command) => `> ${command}`));
  });

  test("works on as many requests as it has threads", async () => {
    await using pool = startPool({ threads: 2 });
    const hanging = failure(pool.run(say("hang"), neverAborted));
    expect(await pool.run(say("a"), neverAborted)).toMatchObject({ said: "a" });
    await pool[Symbol.asyncDispose]();
    expect(await hanging).toMatchObject({ code: "unavailable", message: "the word pool is closed" });
  });

  test("makes a request's message when a thread takes it, and hands its buffers over", async () => {
    await using pool = startPool({ threads: 1 });
    const bytes = Uint8Array.of(1, 2, 3);
    const running = pool.run(say("a"), neverAborted);
    let postedCount = 0;
    const post = (): [Script, ArrayBuffer[]] => {
      postedCount++;
      return [{ command: "b", bytes }, [bytes.buffer]];
    };
    const waiting = pool.run({ post }, neverAborted);
    expect(postedCount).toBe(0);
    await running;
    expect((await waiting).bytes).toEqual(Uint8Array.of(1, 2, 3));
    expect(postedCount).toBe(1);
    expect(bytes.byteLength).toBe(0);
  });

  test("gives what the program refuses with code and field, and keeps the thread", async () => {
    await using pool = startPool();
    const fault = { code: "invalid_argument", message: "not this one", field: "command" };
    expect(await failure(pool.run(say("refuse"), neverAborted))).toMatchObject(fault);
    expect(await pool.run(say("a"), neverAborted)).toMatchObject({ said: "a" });
  });

  test("fails a request that cannot be posted, and goes on with what waits", async () => {
    await using pool = startPool();
    const unposted = { command: "a", uncloneable: () => undefined };
    const lost = pool.run({ post: () => [unposted, []] }, neverAborted);
    const next = pool.run(say("b"), neverAborted);
    expect(await failure(lost)).toMatchObject({ name: "DataCloneError" });
    expect(await next).toMatchObject({ said: "b" });
  });

  test("takes nothing with an aborted signal, and nothing once it is closed", async () => {
    const pool = startPool();
    await expect(pool.run(say("a"), AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
    await pool[Symbol.asyncDispose]();
    await expect(pool.run(say("a"), neverAborted)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a pool's queue", () => {
  test("refuses as overloaded what it cannot hold, and takes more when a place is given up", async () => {
    await using pool = startPool({ queueMax: 1 });
    const running = failure(pool.run(say("wait"), neverAborted));
    const gone = new AbortController();
    const waiting = failure(pool.run(say("a"), gone.signal));
    const overload = { code: "overloaded", retryAfterMs: expect.any(Number) };
    await expect(pool.run(say("b"), neverAborted)).rejects.toMatchObject(overload);
    const reason = new Error("the client is gone");
    gone.abort(reason);
    expect(await waiting).toBe(reason);
    const next = failure(pool.run(say("c"), neverAborted));
    await expect(pool.run(say("d"), neverAborted)).rejects.toMatchObject(overload);
    await pool[Symbol.asyncDispose]();
    for (const refused of [running, next]) expect(await refused).toMatchObject({ code: "unavailable" });
  });

  test("refuses as overloaded what has too many bytes for it, given-up ones not counted", async () => {
    await using pool = startPool({ queueBytesMax: 50 });
    const running = failure(pool.run(say("wait", 1000), neverAborted));
    const gone = new AbortController();
    const waiting = failure(pool.run(say("a", 40), gone.signal));
    await expect(pool.run(say("b", 20), neverAborted)).rejects.toMatchObject({ code: "overloaded" });
    const small = failure(pool.run(say("c", 8), neverAborted));
    gone.abort(new Error("the client is gone"));
    const later = failure(pool.run(say("d", 40), neverAborted));
    await pool[Symbol.asyncDispose]();
    expect(await waiting).toBe(gone.signal.reason);
    for (const refused of [running, small, later]) expect(await refused).toMatchObject({ code: "unavailable" });
  });
});

describe("a thread", () => {
  test.each(["exit", "throw"])("that ends by %s fails its own request alone and is replaced", async (how) => {
    await using pool = startPool();
    const results = ["a", how, "b", how, "c"].map((next) =>
      pool.run(say(next), neverAborted).catch((error: unknown) => error),
    );
    expect(await Promise.all(results)).toMatchObject([
      { said: "a" },
      { code: "internal" },
      { said: "b" },
      { code: "internal" },
      { said: "c" },
    ]);
  });

  test("that hangs is ended, and what waits goes on", async () => {
    await using pool = startPool({ runMsMax: 4000 });
    const hanging = failure(pool.run(say("hang"), neverAborted));
    const waiting = pool.run(say("a"), neverAborted);
    const late = { code: "deadline_exceeded", message: "the word took longer than 4000 ms" };
    expect(await hanging).toMatchObject(late);
    expect(await waiting).toMatchObject({ said: "a" });
  });

  test("lets its caller go at once, whatever it does", async () => {
    await using pool = startPool({ threads: 2 });
    const gone = new AbortController();
    const running = failure(pool.run(say("hang"), gone.signal));
    // Answered on the other thread, so the first is surely at work.
    await pool.run(say("a"), neverAborted);
    const reason = new Error("the client is gone");
    gone.abort(reason);
    expect(await running).toBe(reason);
  });
});

describe("a pool that is started", () => {
  test("has loaded all its threads", async () => {
    await using pool = startPool({ threads: 2, runMsMax: 60_000 });
    await pool.start();
    expect(await pool.run(say("a"), neverAborted)).toMatchObject({ said: "a" });
  });

  test("fails with what loading refuses", async () => {
    await using pool = startPool({ settings: "refused" });
    expect(await failure(pool.start())).toMatchObject({ code: "invalid_argument", message: "no weights there" });
  });

  test("replaces a thread that has died before anybody asks, and says so", async () => {
    const losses = Promise.withResolvers<string>();
    await using pool = startPool({ onLoss: (event, reason) => losses.resolve(`${event}: ${reason}`) });
    await pool.start();
    const fatal = failure(pool.run(say("throw"), neverAborted));
    expect(await losses.promise).toBe("thread_died: a bug");
    expect(await fatal).toMatchObject({ code: "internal" });
    expect(await pool.run(say("a"), neverAborted)).toMatchObject({ said: "a" });
  });
});

describe("a pool whose threads must not be stopped within their work", () => {
  test("has one end by itself when the pool is closed", async () => {
    const pool = startPool({ endMsMax: 600_000 });
    const working = failure(pool.run(say("work"), neverAborted));
    await pool[Symbol.asyncDispose]();
    expect(await working).toMatchObject({ code: "unavailable" });
  });

  test("tells one that nobody waits, and goes on with what waits", async () => {
    await using pool = startPool({ endMsMax: 600_000 });
    await pool.start();
    const gone = new AbortController();
    const working = failure(pool.run(say("work"), gone.signal));
    const next = pool.run(say("a"), neverAborted);
    expect(pool.load).toBe(2);
    gone.abort(new Error("the client is gone"));
    expect(await working).toBe(gone.signal.reason);
    expect(await next).toMatchObject({ said: "a" });
    expect(pool.load).toBe(0);
  });

  test("says that whoever lost a thread may ask again, where the work is not to blame", async () => {
    await using pool = startPool({ endMsMax: 600_000, lostCode: "unavailable" });
    expect(await failure(pool.run(say("exit"), neverAborted))).toMatchObject({ code: "unavailable" });
  });
});
