import { RecordingLogger } from "@drover/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { REDIS_WORDS_MAX } from "./limits.ts";
import { RedisVoice } from "./redis-voice.ts";
import { firstWords, replyCode } from "./redis-words.ts";

describe("RedisVoice", () => {
  let logger: RecordingLogger;
  let refusals: number;
  let voice: RedisVoice;
  const hear = (message: string) => voice.hear(new Error(message));
  const said = () => logger.lines.map(({ event, fields }) => `${event} ${fields.reason ?? ""}`.trim());

  beforeEach(() => {
    [logger, refusals] = [new RecordingLogger(), 0];
    voice = new RedisVoice(logger, () => refusals++);
  });

  it.each([
    "READONLY You can't write against a read only replica.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOAUTH Authentication required.",
    "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write against a read only replica.",
  ])("a server that says %s is left, and waited for in its own words", (message) => {
    expect(hear(message)).toBe(true);
    expect(said()).toEqual([expect.stringMatching(/^redis\.waiting [A-Z]/)]);
    voice.ready();
    expect(logger.events()).toEqual(["redis.waiting", "redis.connected"]);
  });

  it.each([
    "OOM command not allowed when used memory > 'maxmemory'",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk",
    "NOREPLICAS Not enough good replicas to write",
  ])("a server that says %s is kept, and tried until it takes writes", (message) => {
    expect(hear(`${message}.`)).toBe(false);
    expect(hear(`${message}. script: 2998, on @user_script:1.`)).toBe(false);
    expect(voice.refusal).toBe(message);
    expect(refusals).toBe(1);
    voice.accepts();
    expect(voice.refusal).toBeUndefined();
    expect(said()).toEqual([`redis.refuses ${message}`, "redis.accepts"]);
  });

  it.each([
    "NOPERM User worker has no permissions to run the 'set' command",
    "MOVED 3999 127.0.0.1:6381",
    "CLUSTERDOWN Hash slot not served",
    "WRONGPASS invalid username-password pair or user is disabled",
  ])("%s concerns what was asked: said once, and no sign that other writes are refused", (message) => {
    expect([hear(message), hear(message)]).toEqual([false, false]);
    expect(voice.refusal).toBeUndefined();
    expect(said()).toEqual([`redis.refuses ${message}`]);
  });

  it("each reason is said once for each change", () => {
    for (const reason of ["connect ECONNREFUSED", "connect ECONNREFUSED", "NOAUTH needed", "connect ECONNREFUSED"])
      voice.waits(reason);
    voice.ready();
    voice.waits("connect ECONNREFUSED");
    expect(said()).toEqual([
      "redis.waiting connect ECONNREFUSED",
      "redis.waiting NOAUTH needed",
      "redis.connected",
      "redis.waiting connect ECONNREFUSED",
    ]);
  });

  it("what belongs to a script's call is no word of trouble", () => {
    expect(hear("NOSCRIPT No matching script. Please use EVAL.")).toBe(false);
    expect(logger.lines).toEqual([]);
  });

  it("arguments that Redis repeats are never said", () => {
    const words = firstWords(new Error("ERR unknown command 'sett', with args beginning with: 'my secret' "));
    expect(words).toBe("ERR unknown command");
    expect(firstWords(new Error(`OOM ${"x".repeat(1000)}`))).toHaveLength(REDIS_WORDS_MAX);
    expect(replyCode(new Error("connect ECONNREFUSED 127.0.0.1:1"))).toBeUndefined();
  });
});
