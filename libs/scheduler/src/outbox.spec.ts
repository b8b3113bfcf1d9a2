import { describe, expect, it } from "vitest";
import { Outbox } from "./outbox.ts";

class Call {
  readonly written: string[] = [];
  accepts = true;
  #drained: (() => void) | undefined;

  write(message: string): boolean {
    this.written.push(message);
    return this.accepts;
  }

  once(_event: "drain", listener: () => void): void {
    this.#drained = listener;
  }

  drain(): void {
    this.#drained?.();
  }
}

describe("Outbox", () => {
  it("writes at once while the peer reads", () => {
    const call = new Call();
    const outbox = new Outbox<string, string>(call);
    outbox.put("map", "map 1");
    outbox.put("map", "map 2");
    expect(call.written).toEqual(["map 1", "map 2"]);
  });

  it("keeps only the newest of each kind while the peer does not, in the order in which they came", () => {
    const call = new Call();
    const outbox = new Outbox<string, string>(call);
    call.accepts = false;
    outbox.put("map", "map 1");
    outbox.put("map", "map 2");
    outbox.put("experts", "experts 1");
    outbox.put("map", "map 3");
    expect(call.written).toEqual(["map 1"]);
    call.drain();
    expect(call.written).toEqual(["map 1", "experts 1"]);
    call.accepts = true;
    call.drain();
    expect(call.written).toEqual(["map 1", "experts 1", "map 3"]);
  });

  it("writes nothing once it is closed", () => {
    const call = new Call();
    const outbox = new Outbox<string, string>(call);
    call.accepts = false;
    outbox.put("map", "map 1");
    outbox.put("map", "map 2");
    outbox.close();
    call.drain();
    outbox.put("map", "map 3");
    expect(call.written).toEqual(["map 1"]);
  });
});
