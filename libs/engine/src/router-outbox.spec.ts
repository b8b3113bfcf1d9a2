import { type RequestEvent, requestId, routerId } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type EventSink, RouterOutbox } from "./router-outbox.ts";

const router = routerId("r");
const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };

/** A stream of the router, and what it knows of itself. */
class HeardSink implements EventSink {
  readonly heard: RequestEvent[] = [];
  isOver = false;

  send(events: readonly RequestEvent[]): void {
    this.heard.push(...events);
  }

  replaced(): void {
    this.isOver = true;
  }
}

test("in whatever order a router's streams greet and end, one that stands and was not told of its end is the one that gets the events", () => {
  const moves = fc.array(fc.record({ stream: fc.nat(3), isGreeting: fc.boolean() }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(moves, (order) => {
      const outbox = new RouterOutbox(clock);
      const streams = Array.from({ length: 4 }, () => new HeardSink());
      const greeted = new Set<HeardSink>();
      for (const { stream, isGreeting } of order) {
        const sink = streams[stream] ?? new HeardSink();
        if (sink.isOver) continue;
        if (isGreeting) {
          outbox.attach(router, sink);
          greeted.add(sink);
        } else {
          outbox.detach(router, sink);
          sink.isOver = true;
        }
      }
      const standing = [...greeted].filter(({ isOver }) => !isOver);
      const event = { requestId: requestId("q"), attempt: 0, event: { kind: "started" } } as unknown as RequestEvent;
      outbox.add(router, event);
      outbox.flush();
      expect(standing.length).toBeLessThanOrEqual(1);
      expect(outbox.isAttached(router)).toBe(standing.length === 1);
      for (const sink of streams) expect(sink.heard).toEqual(standing.includes(sink) ? [event] : []);
    }),
  );
});
