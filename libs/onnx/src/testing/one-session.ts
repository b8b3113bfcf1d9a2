import { once } from "node:events";
import { isMainThread, Worker } from "node:worker_threads";
import { linearGraph } from "../graphs/prepared.ts";
import { f32, f32Of, Session } from "../session.ts";

// A program: computes once on its main thread and once on another one, as a worker and its vision thread do, and ends.
const weight = { kind: "f32", data: Float32Array.of(1, 2, 3, 4) } as const;
{
  using session = new Session("linear", linearGraph(weight, 2, 2), ["y"], { threads: 1 });
  process.stdout.write(`${f32Of(session.run({ x: f32(Float32Array.of(1, 1), [1, 2]) }), "y").join(" ")}\n`);
}
if (isMainThread) await once(new Worker(new URL(import.meta.url)), "exit");
