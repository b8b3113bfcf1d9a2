import { readdirSync, readFileSync } from "node:fs";
import { LANES, modelId, requestId, type WorkerId, workerId } from "@drover/core";
import { expect, it } from "vitest";
import { capacity } from "../testing/capacity.ts";
import { Claims } from "./claims.ts";
import { placeRequest, type WorkerCapacity } from "./request-placement.ts";
import { Reservations } from "./reservations.ts";

const TESTDATA = new URL("./testdata/placing/", import.meta.url);

/**
 * A fleet by script, one command a line, answered by `>` lines: `worker NAME FIELD VALUE...` (its status, which shows all that was placed),
 * `cached NAME TOKENS`, `place REQUEST LANE PROMPT OUTPUT`, `claim LANE REQUEST WORKER`, `release LANE`.
 */
class Script {
  readonly #workers = new Map<WorkerId, WorkerCapacity>();
  readonly #cached = new Map<WorkerId, number>();
  readonly #reservations = new Reservations();
  readonly #claims = new Claims();
  #now = 0;

  run(line: string): readonly string[] {
    const [command = "", name = "", ...rest] = line.split(" ");
    this.#now += 1;
    if (command === "worker") this.#status(workerId(name), rest);
    if (command === "cached") this.#cached.set(workerId(name), Number(rest[0]));
    const lane = LANES.find((one) => one === (command === "place" ? rest[0] : name));
    if (command === "claim" && lane !== undefined)
      this.#claims.claim(lane, requestId(rest[0] ?? ""), workerId(rest[1] ?? ""), this.#now);
    if (command === "release" && lane !== undefined) this.#claims.release(lane);
    return command === "place" && lane !== undefined ? [this.#place(name, lane, rest.slice(1).map(Number))] : [];
  }

  #status(id: WorkerId, fields: readonly string[]): void {
    const { costs, ...old } = this.#workers.get(id) ?? capacity(id, { kvBytesPerToken: 1, kvBytesFixed: 0 });
    const given: Record<string, number | readonly number[]> = {};
    const givenCosts: Record<string, number> = {};
    for (let i = 0; i < fields.length; i += 2) {
      const [key = "", value = ""] = fields.slice(i);
      if (key === "pendingPromptMs") given[key] = value === "-" ? [] : value.split(",").map(Number);
      else if (key in costs) givenCosts[key] = Number(value);
      else given[key] = Number(value);
    }
    this.#workers.set(id, { ...old, ...given, costs: { ...costs, ...givenCosts } });
    this.#reservations.forget(id);
  }

  #place(id: string, lane: (typeof LANES)[number], [promptTokenCount = 0, newTokenCountMax = 0]: number[]): string {
    const workers = [...this.#workers].map(([worker, known]) => {
      const { bytes, count, promptMs } = this.#reservations.total(worker);
      return { ...known, reservedBytes: bytes, reservedCount: count, reservedPromptMs: promptMs };
    });
    const request = { modelId: modelId("nano"), promptTokenCount, newTokenCountMax, choiceCount: 1 };
    const decision = placeRequest(workers, request, {
      cachedTokenCount: (worker) => this.#cached.get(worker) ?? 0,
      isClaimed: (worker) => this.#claims.isClaimed(worker, lane, this.#now),
    });
    if (decision.kind === "never") return `> never ${decision.reason}`;
    if (decision.kind === "wait") {
      const why = decision.ranking.map(({ workerId: worker, refusal }) => `${worker} ${refusal}`);
      return `> wait for ${decision.claim ?? "nobody"}: ${why.join(", ")}`;
    }
    this.#reservations.reserve(decision.workerId, requestId(id), decision);
    const time = decision.ranking.find((one) => one.workerId === decision.workerId)?.time;
    const parts = ["queue", "prefill", "load"].map((part) => `${part} ${ms(Number(time?.[`${part}Ms` as "queueMs"]))}`);
    return `> ${decision.workerId} ${parts.join(" ")}`;
  }
}

const ms = (value: number) => String(Math.round(value));

it.each(readdirSync(TESTDATA))("requests go as %s says", (file) => {
  const text = readFileSync(new URL(file, TESTDATA), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const script = new Script();
  const actual: string[] = [];
  for (const line of lines) if (!line.startsWith(">")) actual.push(line, ...script.run(line));
  expect(actual.join("\n")).toBe(lines.join("\n"));
});
