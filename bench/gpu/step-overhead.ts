import { parseArgs } from "node:util";
import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { CudaRunner, CudaText } from "@drover/cuda";
import { servedModelSeed } from "@drover/kv";
import { StoredSequences } from "@drover/sequences";
import { drain, greedyTask, openLocalEngine, tinyModel } from "@drover/testkit";
import { FakeDevice } from "../../libs/cuda/src/testing/fake-device.ts";

/**
 * What a decode step takes of this thread beside the card's work: an engine on a card whose work is over at once, small shapes, 1,000 tokens cached. Prints, for
 * each number of streams, microseconds a step: of the clock, and of this process's CPU.
 */
const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "1,8,32,64" },
    steps: { type: "string", default: "400" },
    cached: { type: "string", default: "1000" },
    "prefill-chunk": { type: "string", default: "2048" },
  },
});
await using made = await tinyModel(11);
const folder = made.path;

const config = await loadModelConfig(folder);
await using checkpoint = await openCheckpoint(folder);
const device = new FakeDevice(2 ** 32);
const cuda = { device, compiler: { version: "0", compile: () => new Uint8Array(1) }, close: () => undefined };
const text = await CudaText.load(
  cuda,
  config,
  { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null },
  {
    precision: "f32",
    kv: "f32",
    kvBytesMax: 2 ** 29,
    rowsMax: Number(values["prefill-chunk"]) + 256,
    cacheFolder: undefined,
  },
);
const sequences = new StoredSequences(text.geometry, text.store, {
  cache: { bytesMax: text.kvBytesMax, prefixCache: true },
  hashSeed: servedModelSeed("", ""),
  stripes: undefined,
});
const runner = new CudaRunner(text);
const local = await openLocalEngine(folder, {
  prefillRowsMax: 2048,
  executor: { runner, sequences, geometry: text.geometry },
});
const [steps, cached] = [Number(values.steps), Number(values.cached)];
for (const streams of values.streams.split(",").map(Number)) {
  for (let i = 0; i < streams; i++)
    local.engine.place(
      greedyTask(
        `s${streams}-${i}`,
        Array.from({ length: cached }, (_, at) => 1 + ((at * 31 + i * 101) % 400)),
        steps + 40,
      ),
    );
  while (local.engine.waitingPromptMs().length > 0) await local.engine.step();
  for (let i = 0; i < 20; i++) await local.engine.step();
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  for (let i = 0; i < steps; i++) await local.engine.step();
  const [ms, used] = [performance.now() - began, process.cpuUsage(cpu)];
  console.log(
    `${streams} streams: ${((1e3 * ms) / steps).toFixed(0)} us a step, ${((used.user + used.system) / steps).toFixed(0)} of CPU`,
  );
  await drain(local);
}
