import { describe, expect, it } from "vitest";
import { createLogger, type LogLevel } from "./logger.ts";

function capture(level?: LogLevel) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({
    process: "worker",
    fields: { worker: "w-1" },
    destination,
    ...(level === undefined ? {} : { level }),
  });
  return { logger, lines };
}

describe("createLogger", () => {
  it("writes one JSON object a line with the process, its fields and the event", () => {
    const { logger, lines } = capture();
    logger.info("request.admit", { request: "r-1", bytes: 7, absent: undefined });
    expect(lines).toHaveLength(1);
    const { time, pid, ...line } = JSON.parse(lines[0] ?? "");
    expect(line).toEqual({
      level: "info",
      process: "worker",
      worker: "w-1",
      event: "request.admit",
      request: "r-1",
      bytes: 7,
    });
    expect(pid).toBe(process.pid);
    expect(new Date(time).getTime()).toBeGreaterThan(0);
  });

  it("says nothing below its level", () => {
    const { logger, lines } = capture("warn");
    logger.debug("step.done");
    logger.info("step.done");
    logger.warn("step.late");
    logger.error("step.failed");
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(["step.late", "step.failed"]);
  });

  it("gives a child its parent's fields and its own", () => {
    const { logger, lines } = capture();
    logger.child({ peer: "w-2" }).info("peer.open");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ worker: "w-1", peer: "w-2", event: "peer.open" });
  });
});
