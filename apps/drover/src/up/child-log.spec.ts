import { describe, expect, it } from "vitest";
import { readableLine } from "./child-log.ts";

const line = (level: string) =>
  JSON.stringify({ level, time: "now", process: "worker", pid: 1, event: "peer.lost", peer: "w-1", count: 2 });

describe("readableLine", () => {
  it("shows warnings and errors in words, and nothing else that is logged", () => {
    expect(readableLine("experts-0", line("warn"))).toBe("experts-0: warn peer.lost peer=w-1 count=2");
    expect(readableLine("experts-0", line("error"))).toBe("experts-0: error peer.lost peer=w-1 count=2");
    expect(readableLine("experts-0", line("info"))).toBeUndefined();
    expect(readableLine("experts-0", line("debug"))).toBeUndefined();
  });

  it.each(["TypeError: x is not a function", "{ broken", '{"level":1}', "{}"])("shows %s as it is", (text) => {
    expect(readableLine("router", text)).toBe(`router: ${text}`);
  });
});
