import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";

type Line = Readonly<{ level: string; event: string; reason?: string; stack?: string; code?: string }>;

/** The child of `testing/serving-child.ts`, with all that it logs and announces. */
class Child {
  readonly process: ChildProcess;
  readonly announced: { kind: string; text?: string; addresses?: Record<string, string> }[] = [];
  readonly ended: Promise<unknown[]>;
  #log = "";

  constructor(...flags: string[]) {
    this.process = fork(fileURLToPath(new URL("testing/serving-child.ts", import.meta.url)), flags, {
      execArgv: ["--conditions=@drover/source"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    // Not `close`, which does not come once the parent has let go of the channel.
    this.ended = Promise.all([once(this.process, "exit"), once(this.process.stderr ?? this.process, "end")]).then(
      ([exit]) => exit,
    );
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
    this.process.on("message", (message) => this.announced.push(message as Child["announced"][number]));
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  /** Every line that it has written, each of which must be of its log. */
  get log(): Line[] {
    return this.#log
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  /** Resolves when it has announced something of the kind. */
  async announces(kind: string): Promise<void> {
    while (!this.announced.some((message) => message.kind === kind)) await once(this.process, "message");
  }
}

describe("a process", () => {
  test("has an admin port before it starts, says where it listens, and is ready", async () => {
    const child = new Child();
    await child.announces("ready");
    const [progress, listening] = child.announced;
    expect(progress).toEqual({ kind: "progress", text: "start" });
    expect(listening).toMatchObject({ kind: "listening", addresses: { grpc: "127.0.0.1:1" } });
    expect((await fetch(`http://${listening?.addresses?.admin}/readyz`)).status).toBe(200);
  });

  test("that is asked to end finishes, releases what it holds, and exits with 0", async () => {
    const child = new Child();
    await child.announces("ready");
    child.process.kill("SIGTERM");
    expect(await child.ended).toEqual([0, null]);
    expect(child.log.map(({ event }) => event)).toEqual(["child.listening", "child.released", "child.ended"]);
  });

  test("whose parent is gone ends", async () => {
    const child = new Child();
    await child.announces("ready");
    child.process.disconnect();
    expect(await child.ended).toEqual([0, null]);
  });

  test("that is asked to end while it starts has nothing to finish", async () => {
    const child = new Child("--does", "hang");
    await child.announces("progress");
    child.process.kill("SIGTERM");
    expect(await child.ended).toEqual([0, null]);
  });

  test("says nothing below its log level", async () => {
    const child = new Child("--log-level", "warn");
    await child.announces("ready");
    child.process.kill("SIGTERM");
    await child.ended;
    expect(child.log).toEqual([]);
  });
});

describe("a fault at the start", () => {
  test("is one line with its code and no stack, and exit status 1, after what was held is released", async () => {
    const child = new Child("--does", "fault");
    expect(await child.ended).toEqual([1, null]);
    expect(child.log).toHaveLength(2);
    const [failed, released] = child.log;
    expect(failed).toMatchObject({
      level: "error",
      event: "child.failed",
      code: "unavailable",
      reason: "there is no room",
      child: "child-1",
    });
    expect(failed).not.toHaveProperty("stack");
    expect(released?.event).toBe("child.released");
  });
});

describe("a bug crashes the process with its stack in the log:", () => {
  test.each([
    ["an assertion that fails at the start", "assert", "an assertion holds", /serving-child\.ts/],
    ["an assertion that fails while it serves", "loop", "the loop goes on", /serving-child\.ts/],
    [
      "a rejection that nobody handles",
      "reject",
      "nobody waits for this",
      /serving-child\.ts.*caused by Error: the cause/s,
    ],
    ["an error that nobody catches, though it is a fault", "throw", "nobody catches this", /serving-child\.ts/],
    ["an assertion that fails in a handler", "handler", "a handler's assertion holds", /serving-child\.ts/],
    ["an assertion that ends a thread", "thread", "a thread's assertion holds", /failing-thread\.ts/],
  ])("%s", async (_, does, reason, stack) => {
    const child = new Child("--does", does);
    expect(await child.ended).toEqual([1, null]);
    const crash = child.log.at(-1);
    expect(crash).toMatchObject({ level: "error", event: "child.crashed", reason });
    expect(crash?.stack).toMatch(stack);
    expect(child.log.map(({ event }) => event)).not.toContain("child.released");
  });
});
