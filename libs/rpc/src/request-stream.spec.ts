import { SimClock } from "@drover/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { REQUEST_SWEEP_MS } from "./limits.ts";
import { RequestStream } from "./request-stream.ts";
import { SimPeers } from "./testing/sim-peers.ts";

type Message = Readonly<{ correlationId: bigint }>;

const REQUESTS = { callCountMax: 2, byteCountMax: 1000, answerMsMax: 5000 };

describe("a stream of requests", () => {
  let clock: SimClock;
  let peers: SimPeers<Message, Message>;
  let stream: RequestStream<Message, Message>;

  beforeEach(() => {
    clock = new SimClock();
    peers = new SimPeers(clock);
    stream = new RequestStream<Message, Message>({
      addresses: ["a"],
      open: peers.open,
      onHeaders: () => stream.up(),
      onMessage: () => undefined,
      onDown: () => undefined,
      onAway: () => undefined,
      limits: { waitMs: 100, waitMsMax: 250, answerMsMax: 5000 },
      requests: REQUESTS,
      clock,
      chance: () => 0,
    });
    stream.start();
  });
  afterEach(() => stream[Symbol.dispose]());

  const ask = () => stream.call(10, (correlationId) => ({ correlationId }));

  test("gives each request its own reply, in whatever order they come", async () => {
    peers.last.listener.onHeaders();
    const [first, second] = [ask(), ask()];
    const [one, two] = peers.last.written;
    if (one === undefined || two === undefined) throw new Error("both requests were sent");
    peers.last.listener.onMessage(two);
    peers.last.listener.onMessage(one);
    peers.last.listener.onMessage(one);
    expect([await first, await second]).toEqual([one, two]);
  });

  test("sends nothing while it is down, or while too much is unanswered", async () => {
    expect(await ask()).toBeUndefined();
    peers.last.listener.onHeaders();
    const unanswered = [ask(), ask()];
    expect(await ask()).toBeUndefined();
    expect(peers.last.written).toHaveLength(2);
    for (const request of peers.last.written) peers.last.listener.onMessage(request);
    expect((await Promise.all(unanswered)).every((reply) => reply !== undefined)).toBe(true);
  });

  test("gives up what is not answered in time, and the late reply is nobody's", async () => {
    peers.last.listener.onHeaders();
    const late = ask();
    await clock.advance(REQUESTS.answerMsMax + REQUEST_SWEEP_MS);
    expect(await late).toBeUndefined();
    for (const request of peers.last.written) peers.last.listener.onMessage(request);
    expect(stream.isUp).toBe(true);
  });

  test.each([
    ["its peer breaks it", () => peers.last.listener.onEnd("broken")],
    ["it is renewed", () => stream.renew("it has lost what it held")],
    ["it is disposed", () => stream[Symbol.dispose]()],
  ])("gives up what is unanswered when %s", async (_name, end) => {
    peers.last.listener.onHeaders();
    const unanswered = ask();
    end();
    expect(await unanswered).toBeUndefined();
    expect([stream.isUp, await ask()]).toEqual([false, undefined]);
  });

  test("is over once it is retired and all is answered, and leaves no timer", async () => {
    peers.last.listener.onHeaders();
    const unanswered = ask();
    stream.retire();
    expect(peers.last.cancelled).toBe(false);
    for (const request of peers.last.written) peers.last.listener.onMessage(request);
    expect(await unanswered).toBeDefined();
    await clock.advance(REQUEST_SWEEP_MS);
    expect([peers.last.cancelled, clock.sleeperCount]).toEqual([true, 0]);
  });
});
