import { at, type RequestEvent, requestId } from "@drover/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TOKEN_SLOTS_MAX } from "./limits.ts";
import { TokenColumnsReader, TokenColumnsWriter, tokenColumnsFromWire, tokenColumnsToWire } from "./token-columns.ts";

const token = (id: string, attempt: number, index: number, more: object = {}): RequestEvent => ({
  requestId: requestId(id),
  attempt,
  event: {
    kind: "token",
    choice: 0,
    index,
    tokenId: index * 3,
    logprob: 0,
    top: [],
    experts: new Uint16Array(),
    finish: undefined,
    ...more,
  },
});

/** What an attempt tells in its turn: the index is given when it is told. */
const told = fc.record({
  id: fc.constantFrom("a", "b", "c", "d"),
  attempt: fc.nat(1),
  kind: fc.constantFrom("started", "token", "token", "token", "logprob", "second choice", "last", "done", "failed"),
});

const eventOf = ({ id, attempt, kind }: { id: string; attempt: number; kind: string }, index: number): RequestEvent => {
  const named = { requestId: requestId(id), attempt };
  switch (kind) {
    case "started":
      return { ...named, event: { kind, startIndices: [index] } };
    case "done":
      return { ...named, event: { kind, cachedTokenCount: index } };
    case "failed":
      return { ...named, event: { kind, code: "internal", message: "", retryable: false, handedBack: false } };
    case "logprob":
      return token(id, attempt, index, { logprob: -1, top: [{ tokenId: 1, logprob: -2 }] });
    case "second choice":
      return token(id, attempt, index, { choice: 1 });
    case "last":
      return token(id, attempt, index, { finish: "stop" });
    default:
      return token(id, attempt, index);
  }
};

/** Writes each message of a stream and reads it again. */
function passed(messages: readonly (readonly RequestEvent[])[]): RequestEvent[][] {
  const writer = new TokenColumnsWriter();
  const reader = new TokenColumnsReader();
  return messages.map((events) => {
    const step = writer.write(events);
    const read = [...step.events];
    if (step.tokens !== undefined)
      reader.read(tokenColumnsFromWire(tokenColumnsToWire(step.tokens)), (event) => read.push(event));
    return [...read, ...step.ends];
  });
}

const byAttempt = (events: readonly RequestEvent[]) =>
  new Map(
    [...Map.groupBy(events, ({ requestId: id, attempt }) => `${id} ${attempt}`)].sort(([a], [b]) => (a < b ? -1 : 1)),
  );

describe("tokens in columns", () => {
  it("are read as they were told, those of each attempt in their order, whatever else is told of it", () => {
    const steps = fc.array(fc.array(told, { maxLength: 12 }), { maxLength: 8 });
    fc.assert(
      fc.property(steps, (given) => {
        let index = 0;
        const begun = new Set<string>();
        const messages = given.map((step) => {
          const events = step.map((each) => eventOf(each, index++));
          // Of an attempt its start is told first, and nothing behind its end.
          const ended = new Set<string>();
          return events.filter(({ requestId: id, attempt, event }) => {
            const name = `${id} ${attempt}`;
            if (ended.has(name) || (event.kind === "started" && begun.has(name))) return false;
            begun.add(name);
            if (event.kind === "done" || event.kind === "failed") ended.add(name);
            return true;
          });
        });
        const read = passed(messages);
        for (const [i, events] of messages.entries()) expect(byAttempt(at(read, i))).toEqual(byAttempt(events));
      }),
    );
  });

  it("a slot that stands for nobody is refused, and so are columns of different lengths", () => {
    const columns = { attempts: [], slots: [3], choices: [], indices: [0], tokenIds: [1], finishes: [] };
    expect(() => new TokenColumnsReader().read(columns, () => undefined)).toThrow(
      expect.objectContaining({ code: "invalid_argument" }),
    );
    for (const wrong of [
      { indices: [] },
      { choices: [1, 2] },
      { attempts: [{ slot: TOKEN_SLOTS_MAX, requestId: requestId("a"), attempt: 1 }] },
    ])
      expect(() => tokenColumnsFromWire(tokenColumnsToWire({ ...columns, ...wrong }))).toThrow(
        expect.objectContaining({ code: "invalid_argument" }),
      );
  });

  it("a stream of ever new requests that say no end names no more slots than it may, and loses no token", () => {
    const messages = Array.from({ length: 30 }, (_, step) =>
      Array.from({ length: 100 }, (_, i) => token(`r${step * 100 + i}`, 1, step)),
    );
    expect(passed(messages)).toEqual(messages);
    const crowd = Array.from({ length: TOKEN_SLOTS_MAX + 5 }, (_, i) => token(`r${i}`, 1, 0));
    const [all = []] = passed([crowd]);
    expect(byAttempt(all)).toEqual(byAttempt(crowd));
  });
});
