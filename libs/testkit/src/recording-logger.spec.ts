import { expect, test } from "vitest";
import { RecordingLogger } from "./recording-logger.ts";

test("lines are kept in order, with the fields of every logger above them", () => {
  const logger = new RecordingLogger({ process: "worker", layer: 0 });
  const child = logger.child({ layer: 1, peer: "a" });
  logger.info("worker.started");
  child.warn("expert.lost", { layer: 3 });
  child.debug("expert.found");
  logger.error("worker.ended", { code: 1 });
  expect(logger.lines).toEqual([
    { level: "info", event: "worker.started", fields: { process: "worker", layer: 0 } },
    { level: "warn", event: "expert.lost", fields: { process: "worker", layer: 3, peer: "a" } },
    { level: "debug", event: "expert.found", fields: { process: "worker", layer: 1, peer: "a" } },
    { level: "error", event: "worker.ended", fields: { process: "worker", layer: 0, code: 1 } },
  ]);
  expect(child.events("warn")).toEqual(["expert.lost"]);
  expect(logger.events()).toHaveLength(4);
});
