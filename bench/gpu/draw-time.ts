import { parseArgs } from "node:util";
import { greedyParams, type SamplingParams } from "@drover/core";
import { openCuda } from "@drover/cuda";
import { CheckedCard } from "../../libs/cuda/src/kernels/checks/checked-card.ts";
import { Random } from "../../libs/cuda/src/kernels/checks/kernel-check.ts";
import { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import { StepDraws } from "../../libs/cuda/src/model/step-draws.ts";
import { sampleToken } from "../../libs/sampling/src/chain.ts";
import { rowDraw } from "../../libs/sampling/src/row-draw.ts";
import { TokenHistory } from "../../libs/sampling/src/token-history.ts";

/** What drawing a row's token of Llama 4's vocabulary takes on the card, and by the CPU's chain. */
const { values } = parseArgs({ options: { vocabulary: { type: "string", default: "202048" } } });
const vocabSize = Number(values.vocabulary);
const SIZES = { headCount: 2, kvHeadCount: 1, headDim: 8, chunkSize: 64, pageRows: 64, kv: "f32" } as const;
const WAYS: Readonly<Record<string, Partial<SamplingParams>>> = {
  temperature: { temperature: 0.8 },
  "top_p 0.9": { temperature: 0.8, topP: 0.9 },
  "top_k 50, top_p 0.9": { temperature: 0.8, topK: 50, topP: 0.9 },
  "greedy, presence penalty": { presencePenalty: 0.5 },
};
const card = new CheckedCard(await openCuda(0), undefined);
const { device, stream } = card;
const memory = new DeviceMemory(device);
const kernels = card.kernels(SIZES, "f32");
const random = new Random(3);
const history = new TokenHistory([1, 2, 3]);
const row = random.floats(vocabSize, 8);
const logits = card.room(64 * row.byteLength);
for (let i = 0; i < 64; i++) device.write(logits + BigInt(i * row.byteLength), new Uint8Array(row.buffer));
for (const [name, more] of Object.entries(WAYS)) {
  const params = { ...greedyParams(9), ...more };
  const began = performance.now();
  for (let index = 0; index < 10; index++) sampleToken({ logits: row, params, history, choice: 0, index });
  const cpu = (performance.now() - began) / 10;
  const times = [1, 8, 32, 64].map((rowCount) => {
    const draws = new StepDraws({ device, memory, kernels }, { rowsMax: 64, vocabSize });
    const of = (place: number) => rowDraw({ params, history, choice: 0, index: place, allowed: undefined }, vocabSize);
    draws.begin(
      Array.from({ length: rowCount }, (_, place) => of(place)).flatMap((draw, place) =>
        draw === undefined ? [] : [{ place, draw }],
      ),
    );
    draws.send(stream);
    const run = { first: 0, count: rowCount, topCount: 1 };
    draws.enqueue(run, logits, stream);
    const [from, to] = [device.createEvent(), device.createEvent()];
    device.record(from, stream);
    for (let i = 0; i < 10; i++) draws.enqueue(run, logits, stream);
    device.record(to, stream);
    device.synchronize(stream);
    const unsure = [...draws.answers().values()].filter((answer) => answer === undefined).length;
    draws.close();
    return `${rowCount}: ${((device.elapsedMs(from, to) / 10) * 1e3).toFixed(0)} us${unsure > 0 ? `, ${unsure} unsure` : ""}`;
  });
  console.log(`${name}: card, rows: ${times.join("; ")}; the CPU's chain ${cpu.toFixed(2)} ms a row`);
}
memory.close();
card.close();
