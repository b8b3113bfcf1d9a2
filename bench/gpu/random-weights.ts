import type { ModelConfig } from "@drover/checkpoint";
import type { CudaDevice, DeviceAddress, Stream } from "../../libs/cuda/src/driver/cuda-device.ts";
import type { DeviceLinear } from "../../libs/cuda/src/kernels/product.ts";
import type { DeviceMemory } from "../../libs/cuda/src/memory/device-memory.ts";
import type { DeviceLayer, DeviceMlp, DeviceWeights } from "../../libs/cuda/src/model/device-weights.ts";
import { matrixBytes, type TileFormat } from "../../libs/cuda/src/model/weight-format.ts";

const BLOCK = 64 * 2 ** 20;
/** What is copied from begins at a multiple of this. */
const ALIGNMENT = 256;

/** Random words. Source: mulberry32. */
class RandomWords {
  #state = 7;

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}

/** Numbers of 4 bits from 1 to 15: as many below eight, which stands for nothing, as above it. Else all rows lean to one side, and choose one expert. */
function withoutZeros(word: number): number {
  const some = word | (word >>> 1) | (word >>> 2) | (word >>> 3);
  return (word | ((~some & 0x11111111) << 3)) >>> 0;
}

/** bf16 or f16 of small numbers, either sign: two in a word. */
function halvesOf(word: number, exponent: number): number {
  return ((word & 0x80ff80ff) | exponent | (exponent << 16)) >>> 0;
}

/**
 * Weights of a model's shapes, made on the card: each matrix is a piece of one random block from a place of its own, so that it is none of another, and its numbers are as often
 * above as below zero. Rows then are as unlike as random ones, and spread over experts.
 */
export class RandomWeights {
  readonly #config: ModelConfig;
  readonly #device: CudaDevice;
  readonly #memory: DeviceMemory;
  readonly #stream: Stream;
  readonly #format: TileFormat;
  readonly #words = new RandomWords();
  readonly #blocks: Readonly<Record<"numbers" | "bf16" | "scales", DeviceAddress>>;

  /** `format`: what products' matrices are. */
  constructor(config: ModelConfig, device: CudaDevice, memory: DeviceMemory, stream: Stream, format: TileFormat) {
    this.#config = config;
    this.#device = device;
    this.#memory = memory;
    this.#stream = stream;
    this.#format = format;
    const { numbers } = format;
    const number = (word: number) => {
      if (numbers === "f16") return halvesOf(word, 0x2000);
      if (numbers === "e4m3") return (word & 0xbfbfbfbf) >>> 0;
      return numbers.bits === 4 ? withoutZeros(word) : word;
    };
    const floats = new Float32Array(1);
    const bits = new Uint32Array(floats.buffer);
    const size = numbers === "f16" ? 1 : numbers === "e4m3" ? 0.02 : numbers.bits === 4 ? 0.0022 : 0.00013;
    this.#blocks = {
      numbers: this.#block(number),
      bf16: this.#block((word) => halvesOf(word, 0x3c00)),
      scales: this.#block((word) => {
        floats[0] = size * (0.9 + word / 2 ** 34);
        return bits[0] as number;
      }),
    };
  }

  make(): DeviceWeights {
    const { hiddenSize, vocabSize, chunkSize, headDim, expertCount, layerCount } = this.#config;
    const counts = { global: 0, local: 0 };
    const layers = Array.from({ length: layerCount }, (_, layer): DeviceLayer => this.#layer(layer, counts));
    return {
      embedding: { kind: "bf16", address: this.#fill(2 * vocabSize * hiddenSize, "bf16") },
      layers,
      norm: this.#ones(hiddenSize),
      head: this.#linear(vocabSize, hiddenSize, 1),
      angles: this.#vector(new Float32Array(chunkSize * headDim).map((_, i) => (i % 2 === 0 ? 1 : 0))),
      places: this.#vector(Int32Array.from({ length: expertCount }, (_, expert) => expert)),
    };
  }

  #layer(layer: number, counts: { global: number; local: number }): DeviceLayer {
    const { hiddenSize, headCount, kvHeadCount, headDim, expertCount, expertWidth, denseWidth } = this.#config;
    const isGlobal = this.#config.isGlobalLayer[layer] === true;
    const moeIndex = this.#config.moeLayers.indexOf(layer);
    return {
      isGlobal,
      kindIndex: counts[isGlobal ? "global" : "local"]++,
      inputNorm: this.#ones(hiddenSize),
      qkv: this.#linear((headCount + 2 * kvHeadCount) * headDim, hiddenSize, 1),
      output: this.#linear(hiddenSize, headCount * headDim, 1),
      postNorm: this.#ones(hiddenSize),
      feedForward:
        moeIndex < 0
          ? { kind: "dense", mlp: this.#mlp(denseWidth, 1) }
          : {
              kind: "moe",
              moeIndex,
              router: { kind: "bf16", address: this.#fill(2 * expertCount * hiddenSize, "bf16") },
              ...this.#experts(expertWidth, expertCount),
            },
    };
  }

  #mlp(width: number, count: number): DeviceMlp {
    const { hiddenSize } = this.#config;
    const gateUp = this.#linear(2 * width, hiddenSize, count);
    return { gateUp, down: this.#linear(hiddenSize, width, count), width };
  }

  /** The last of them is the shared one. */
  #experts(width: number, count: number): { experts: DeviceMlp; shared: DeviceMlp; isJoined: true } {
    const experts = this.#mlp(width, count + 1);
    const last = (linear: DeviceLinear) => ({ ...linear, count: 1, table: linear.table + BigInt(16 * count) });
    return { experts, shared: { gateUp: last(experts.gateUp), down: last(experts.down), width }, isJoined: true };
  }

  #linear(outSize: number, inSize: number, count: number): DeviceLinear {
    const { weightBytes, scaleCount } = matrixBytes(this.#format, outSize, inSize);
    const records = BigUint64Array.from(
      Array.from({ length: count }, () => [
        this.#fill(weightBytes, "numbers"),
        this.#fill(4 * scaleCount, "scales"),
      ]).flat(),
    );
    const table = this.#memory.allocate("weights", 16 * count);
    this.#device.write(table, new Uint8Array(records.buffer));
    return { format: this.#format, outSize, inSize, count, table, records };
  }

  #ones(count: number): DeviceAddress {
    return this.#vector(new Float32Array(count).fill(1));
  }

  #vector(values: Float32Array | Int32Array): DeviceAddress {
    const address = this.#memory.allocate("weights", values.byteLength);
    this.#device.write(address, new Uint8Array(values.buffer));
    return address;
  }

  #block(of: (word: number) => number): DeviceAddress {
    const address = this.#memory.allocate("weights", BLOCK);
    this.#device.write(
      address,
      new Uint8Array(Uint32Array.from({ length: BLOCK / 4 }, () => of(this.#words.next())).buffer),
    );
    return address;
  }

  #fill(byteCount: number, from: "numbers" | "bf16" | "scales"): DeviceAddress {
    const address = this.#memory.allocate("weights", byteCount);
    for (let at = 0; at < byteCount; ) {
      const start = ALIGNMENT * (this.#words.next() % (BLOCK / ALIGNMENT));
      const count = Math.min(byteCount - at, BLOCK - start);
      this.#device.copy(address + BigInt(at), this.#blocks[from] + BigInt(start), count, this.#stream);
      at += count;
    }
    return address;
  }
}
