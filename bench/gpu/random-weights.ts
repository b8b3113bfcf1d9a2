import type { ModelConfig } from "@drover/checkpoint";
import type { CudaDevice, DeviceAddress } from "../../libs/cuda/src/driver/cuda-device.ts";
import type { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import type { DeviceLinear } from "../../libs/cuda/src/model/device-linear.ts";
import type { DeviceLayer, DeviceMlp, DeviceWeights } from "../../libs/cuda/src/model/device-weights.ts";
import { matrixBytes, type WeightFormat } from "../../libs/cuda/src/model/weight-format.ts";

const INT4: WeightFormat = { kind: "tiles", blockSize: 128 };
const BLOCK = 64 * 2 ** 20;

/** Numbers of 4 bits from 1 to 15: as many below eight, which stands for nothing, as above it. Else all rows lean to one side, and choose one expert. */
function withoutZeros(word: number): number {
  const some = word | (word >>> 1) | (word >>> 2) | (word >>> 3);
  return (word | ((~some & 0x11111111) << 3)) >>> 0;
}

/** Weights of a model's shapes, each matrix in its own memory: any bits are numbers of 4 bits, and scales are small and positive. */
export class RandomWeights {
  readonly #config: ModelConfig;
  readonly #device: CudaDevice;
  readonly #memory: DeviceMemory;
  readonly #bits = new Uint8Array(BLOCK);
  readonly #scales = new Float32Array(BLOCK / 4);
  readonly #halves = new Uint16Array(BLOCK / 2);

  constructor(config: ModelConfig, device: CudaDevice, memory: DeviceMemory) {
    this.#config = config;
    this.#device = device;
    this.#memory = memory;
    const words = new Uint32Array(this.#bits.buffer);
    for (let i = 0, state = 1; i < words.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      words[i] = withoutZeros(state ^ (state >>> 13));
      this.#scales[i] = 0.002 + (state >>> 8) / 2 ** 33;
    }
    // bf16 of about a hundredth, either sign.
    for (let i = 0; i < this.#halves.length; i++)
      this.#halves[i] = 0x3c00 | (((words[i >> 1] as number) >>> (i % 2 === 0 ? 3 : 19)) & 0x80ff);
  }

  make(): DeviceWeights {
    const { hiddenSize, vocabSize, chunkSize, headDim, expertCount, layerCount } = this.#config;
    const counts = { global: 0, local: 0 };
    const layers = Array.from({ length: layerCount }, (_, layer): DeviceLayer => this.#layer(layer, counts));
    return {
      embedding: { kind: "bf16", address: this.#fill(2 * vocabSize * hiddenSize, this.#halves) },
      layers,
      norm: this.#ones(hiddenSize),
      head: this.#linear(vocabSize, hiddenSize, 1, INT4),
      angles: this.#vector(new Float32Array(chunkSize * headDim).map((_, i) => (i % 2 === 0 ? 1 : 0))),
      places: this.#vector(Int32Array.from({ length: expertCount }, (_, expert) => expert)),
    };
  }

  #layer(layer: number, counts: { global: number; local: number }): DeviceLayer {
    const {
      hiddenSize,
      headCount,
      kvHeadCount,
      headDim,
      expertCount,
      expertWidth,
      denseWidth,
      isGlobalLayer,
      moeLayers,
    } = this.#config;
    const isGlobal = isGlobalLayer[layer] === true;
    const moeIndex = moeLayers.indexOf(layer);
    return {
      isGlobal,
      kindIndex: counts[isGlobal ? "global" : "local"]++,
      inputNorm: this.#ones(hiddenSize),
      qkv: this.#linear((headCount + 2 * kvHeadCount) * headDim, hiddenSize, 1, INT4),
      output: this.#linear(hiddenSize, headCount * headDim, 1, INT4),
      postNorm: this.#ones(hiddenSize),
      feedForward:
        moeIndex < 0
          ? { kind: "dense", mlp: this.#mlp(denseWidth, 1) }
          : {
              kind: "moe",
              moeIndex,
              router: this.#linear(expertCount, hiddenSize, 1, { kind: "bf16" }),
              shared: this.#mlp(expertWidth, 1),
              experts: this.#mlp(expertWidth, expertCount),
            },
    };
  }

  #mlp(width: number, count: number): DeviceMlp {
    const { hiddenSize } = this.#config;
    return {
      gateUp: this.#linear(2 * width, hiddenSize, count, INT4),
      down: this.#linear(hiddenSize, width, count, INT4),
      width,
    };
  }

  #linear(outSize: number, inSize: number, count: number, format: WeightFormat): DeviceLinear {
    const { weightBytes, scaleCount } = matrixBytes(format, outSize, inSize);
    const records = Array.from({ length: count }, () => [
      this.#fill(weightBytes, format.kind === "bf16" ? this.#halves : this.#bits),
      scaleCount === 0 ? 0n : this.#fill(4 * scaleCount, this.#scales),
    ]);
    const table = this.#memory.allocate("weights", 16 * count);
    this.#device.write(table, new Uint8Array(BigUint64Array.from(records.flat()).buffer));
    return { format, outSize, inSize, table };
  }

  #ones(count: number): DeviceAddress {
    return this.#vector(new Float32Array(count).fill(1));
  }

  #vector(values: Float32Array | Int32Array): DeviceAddress {
    const address = this.#memory.allocate("weights", values.byteLength);
    this.#device.write(address, new Uint8Array(values.buffer));
    return address;
  }

  #fill(byteCount: number, from: Uint8Array | Float32Array | Uint16Array): DeviceAddress {
    const address = this.#memory.allocate("weights", byteCount);
    const bytes = new Uint8Array(from.buffer);
    for (let at = 0; at < byteCount; at += bytes.length)
      this.#device.write(address + BigInt(at), bytes.subarray(0, Math.min(bytes.length, byteCount - at)));
    return address;
  }
}
