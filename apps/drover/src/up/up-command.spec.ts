import { existsSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allGone, isAlive, UpProcess } from "../testing/up-process.ts";
import { chooseQueue } from "./queue-choice.ts";
import { pingRedis } from "./redis-ping.ts";

const hasRedis = chooseQueue("auto", { PATH: process.env.PATH }).kind === "local";

describe("drover up", () => {
  it("starts every process, says what runs where, and ends with all of them when it is told to", async () => {
    await using up = new UpProcess(["--queue=embedded", "--attention-workers=2"]);
    const processes = await up.processes();
    expect([...processes.keys()]).toEqual([
      "scheduler",
      "router",
      "attention-0",
      "attention-1",
      "experts-0",
      "experts-1",
    ]);
    expect(up.stdout).toContain("embedded in the scheduler (--queue embedded)");
    expect(up.stderr).toContain("drover: experts-1: loading\n");
    up.child.kill("SIGINT");
    expect(await up.exit).toEqual({ code: 0, signal: null });
    expect([...processes.values()].filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it("tells each process its part, and keeps its own settings from them", async () => {
    const env = { DROVER_KV_MEMORY: "1MiB", DROVER_CLUSTER: "one", OTHER: "kept" };
    await using up = new UpProcess(
      ["--queue=embedded", "--prefill-chunk=16", "--model-name=m", "--kv-dtype=int8"],
      env,
    );
    const [router, attention, experts] = await Promise.all(
      ["router", "attention-0", "experts-1"].map((name) => up.facts(name)),
    );
    const scheduler = (await up.processes()).get("scheduler")?.address;
    expect(router?.flags).toMatchObject({ scheduler, "model-name": "m", cluster: "one", listen: "127.0.0.1" });
    expect(router?.env).toMatchObject({ DROVER_QUEUE: "scheduler", OTHER: "kept" });
    expect(router?.env).not.toHaveProperty("DROVER_KV_MEMORY");
    expect(attention?.flags).toMatchObject({
      roles: "attention,vision",
      "kv-memory": "1048576",
      "kv-dtype": "int8",
      "prefill-chunk": "16",
      scheduler,
    });
    expect(experts?.flags).toMatchObject({ roles: "experts", "worker-id": "experts-1" });
    expect(experts?.env).not.toHaveProperty("DROVER_QUEUE");
  });

  it("starts a killed process again at the same address", async () => {
    await using up = new UpProcess(["--queue=embedded"]);
    const scheduler = (await up.processes()).get("scheduler");
    process.kill(scheduler?.pid ?? 0, "SIGKILL");
    await up.says(/scheduler: ended \(killed by SIGKILL\), starting it again in 250 ms/, "stderr");
    await up.says(/scheduler: is back/, "stderr");
    expect((await up.facts("scheduler")).role).toBe("scheduler");
  });

  it.each(["SIGKILL", "SIGSEGV"] as const)("leaves no process behind when it is ended by %s", async (signal) => {
    await using up = new UpProcess(["--queue=auto"], { MISBEHAVE: "experts-0:ignore" });
    const processes = [...(await up.processes()).values()];
    expect(/Redis started here/.test(up.stdout)).toBe(hasRedis);
    up.child.kill(signal);
    await up.exit;
    await allGone(processes.map(({ pid }) => pid));
  });

  it("ends with all of them when the npm that started it is killed", async () => {
    const npm = ["sh", "-c", '"$@" & wait', "npm"];
    await using up = new UpProcess(["--queue=embedded"], { npm_lifecycle_event: "start" }, npm);
    const processes = [...(await up.processes()).values()];
    up.child.kill("SIGKILL");
    await up.says(/drover: ending/, "stderr");
    await allGone(processes.map(({ pid }) => pid));
  });

  it("kills what does not end, at once at the second signal", async () => {
    await using up = new UpProcess(["--queue=embedded"], { MISBEHAVE: "attention-0:ignore" });
    const stubborn = (await up.processes()).get("attention-0");
    up.child.kill("SIGTERM");
    await up.says(/drover: ending/, "stderr");
    // What comes at once after the first one is its echo.
    const again = setInterval(() => up.child.kill("SIGTERM"), 50);
    await up.exit;
    clearInterval(again);
    expect(isAlive(stubborn?.pid ?? 0)).toBe(false);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends with the status of %s where the cluster does not serve yet", async (signal, status) => {
    await using up = new UpProcess(["--queue=embedded"], { MISBEHAVE: "experts-1:load" });
    await up.says(/experts-1: loading/, "stderr");
    up.child.kill(signal);
    expect(await up.exit).toEqual({ code: status, signal: null });
  });

  it.skipIf(!existsSync("/dev/full"))("serves on where nothing that it says can be written", async () => {
    await using up = new UpProcess(["--queue=embedded"], {}, ["sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh"]);
    await new Promise<void>((resolve, reject) => {
      up.child.on("message", (message: { kind?: string }) => message.kind === "ready" && resolve());
      void up.exit.then(({ code }) => reject(new Error(`it ended with ${code}`)));
    });
    up.child.kill("SIGINT");
    expect(await up.exit).toEqual({ code: 0, signal: null });
  });

  it("ends with the reason when a process cannot start", async () => {
    await using up = new UpProcess(["--queue=embedded"], { MISBEHAVE: "experts-1:fail" });
    expect(await up.exit).toEqual({ code: 1, signal: null });
    expect(up.stderr).toContain("experts-1: the fake cannot start");
    expect(up.stderr).toContain("experts-1 ended while it started (exit status 1)");
  });

  it("prints only the answer on standard output with --prompt, and asks again while the cluster is not able yet", async () => {
    await using up = new UpProcess(["--queue=embedded", "--prompt=Well?"], { MISBEHAVE: "router:busy" });
    expect(await up.exit).toEqual({ code: 0, signal: null });
    expect(up.stdout).toBe("fake answer\n");
    expect(up.stderr).toContain("asking nano");
  });

  it("refuses a folder that is no checkpoint, and a Redis that cannot be reached, in a sentence", async () => {
    await using wrongModel = new UpProcess(["--model=apps"]);
    expect((await wrongModel.exit).code).toBe(1);
    expect(wrongModel.stderr).toContain("there is no checkpoint");
    await using wrongRedis = new UpProcess([], { REDIS_URL: "redis://user:secret@127.0.0.1:1" });
    expect((await wrongRedis.exit).code).toBe(1);
    expect(wrongRedis.stderr).toContain("No Redis can be reached at redis://127.0.0.1:1, which REDIS_URL names.");
    expect(wrongRedis.stderr).not.toContain("secret");
  });
});

describe.skipIf(!hasRedis && process.env.CI === undefined)("drover up with a Redis of its own", () => {
  it("gives it to router and scheduler, starts it again when it dies, and removes its files in the end", async () => {
    await using up = new UpProcess(["--queue=redis"]);
    const redis = (await up.processes()).get("redis-server") ?? (await up.processes()).get("valkey-server");
    const url = `redis://${redis?.address}`;
    const folder = readlinkSync(`/proc/${redis?.pid}/cwd`);
    expect(existsSync(join(folder, "appendonlydir"))).toBe(true);
    expect((await up.facts("router")).env.DROVER_QUEUE).toBe(url);
    expect((await up.facts("scheduler")).env.DROVER_QUEUE).toBe(url);
    process.kill(redis?.pid ?? 0, "SIGKILL");
    await up.says(/(redis|valkey)-server: is back/, "stderr");
    expect(await pingRedis("127.0.0.1", Number(redis?.address.split(":")[1]))).toBe(true);
    up.child.kill("SIGTERM");
    await up.exit;
    expect(await pingRedis("127.0.0.1", Number(redis?.address.split(":")[1]))).toBe(false);
    expect(isAlive(redis?.pid ?? 0)).toBe(false);
    expect(existsSync(folder)).toBe(false);
  });
});
