import { readFileSync } from "node:fs";
import { at, type ExpertRunner } from "@drover/core";
import { SharedMemory } from "@drover/shared-memory";
import { expertService } from "../expert-service.ts";
import { createServer, listen } from "../server.ts";
import { sharedExpertService } from "../shared/shared-answers.ts";

/** Expert e of layer 1 multiplies its rows by e + 1; that of layer 2 does so when it is told to. */
class ScalingExperts implements ExpertRunner {
  readonly hiddenSize: number;
  readonly #told: Promise<unknown>;

  constructor(hiddenSize: number, told: Promise<unknown>) {
    this.hiddenSize = hiddenSize;
    this.#told = told;
  }

  has(layer: number, expert: number): boolean {
    return (layer === 1 || layer === 2) && expert < 4;
  }

  run(layer: number, experts: ArrayLike<number>, counts: ArrayLike<number>, z: Float32Array, y: Float32Array) {
    if (layer === 2) return this.#told.then(() => this.#scale(experts, counts, z, y));
    this.#scale(experts, counts, z, y);
    return undefined;
  }

  #scale(experts: ArrayLike<number>, counts: ArrayLike<number>, z: Float32Array, y: Float32Array): void {
    let next = 0;
    for (let i = 0; i < experts.length; i++)
      for (const end = next + at(counts, i) * this.hiddenSize; next < end; next++)
        y[next] = at(z, next) * (at(experts, i) + 1);
  }
}

const told = Promise.withResolvers<void>();
const runner = new ScalingExperts(Number(process.argv[2]), told.promise);
const server = createServer();
server.addService(...expertService(runner));
server.addService(...sharedExpertService(runner, () => SharedMemory.load()));
process.on("message", (message) => {
  if (message === "go on") told.resolve();
  // How many segments this process has mapped.
  if (message === "mapped") process.send?.(readFileSync("/proc/self/maps", "utf8").split("memfd:drover").length - 1);
});
process.on("disconnect", () => process.exit(0));
process.send?.(await listen(server, "127.0.0.1:0"));
