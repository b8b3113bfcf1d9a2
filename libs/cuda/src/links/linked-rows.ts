import type { ModelConfig } from "@drover/checkpoint";
import { assert } from "@drover/core";
import { captured } from "../driver/captured.ts";
import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import type { ExpertRows } from "../experts/expert-rows.ts";
import { NULL } from "../kernels/kernel-launcher.ts";
import { LINK_ROWS_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { DeviceMlp } from "../model/device-weights.ts";
import type { LinkKernels } from "./link-kernels.ts";
import type { linkAddresses } from "./link-layout.ts";

/** Numbers of rows that a call is computed as: the next one. */
const BUCKETS = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, LINK_ROWS_MAX] as const;
const WORD = 4;
const JOB = 16;

/** Rows of another card's calls on their way through this one: from the memory of both to its experts and back. */
export class LinkedRows {
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #rows: ExpertRows;
  readonly #kernels: LinkKernels;
  readonly #config: ModelConfig;
  readonly #card: Readonly<Record<"asked" | "order" | "jobs" | "jobCount" | "arrived", DeviceAddress>>;

  /** `rows`: what experts are computed with, on the same stream. */
  constructor(
    card: Readonly<{ device: CudaDevice; memory: DeviceMemory; stream: Stream; kernels: LinkKernels }>,
    config: ModelConfig,
    rows: ExpertRows,
  ) {
    const { device, memory, stream } = card;
    this.#device = device;
    this.#stream = stream;
    this.#rows = rows;
    this.#kernels = card.kernels;
    this.#config = config;
    const room = (byteCount: number) => {
      const address = memory.allocate("exchange", byteCount);
      device.fill(address, 0, byteCount, stream);
      return address;
    };
    this.#card = {
      asked: room(WORD * (1 + LINK_ROWS_MAX)),
      order: room(WORD * LINK_ROWS_MAX),
      jobs: room(JOB * LINK_ROWS_MAX),
      jobCount: room(WORD),
      arrived: room(WORD),
    };
  }

  bucketOf(rowCount: number): number {
    const found = BUCKETS.find((count) => count >= rowCount);
    assert(found !== undefined, "a call has at most as many rows as fit");
    return found;
  }

  /** Compiles what calls of any number of rows need: while one is waited for, there is no time for it. Errors: the compiler's. */
  prepare(experts: DeviceMlp): void {
    const nowhere = { asked: NULL, answered: NULL, head: NULL, z: NULL, y: NULL };
    for (const count of BUCKETS)
      this.#device.destroyGraph(captured(this.#device, this.#stream, () => this.enqueue(experts, count, nowhere)));
  }

  /** Enqueues a layer's experts for a call of at most so many rows. */
  enqueue(experts: DeviceMlp, rowCount: number, link: ReturnType<typeof linkAddresses>): void {
    const { asked, order, jobs, jobCount, arrived } = this.#card;
    const { x, y } = this.#rows.addresses;
    const { expertCount, hiddenSize: width } = this.#config;
    const rowsOfJob = this.#rows.rowsOfJob(rowCount, expertCount);
    const lists = { asked, order, jobs, jobCount };
    this.#kernels.admit(rowCount, {
      ...{ calls: link.asked, head: link.head, z: link.z, x, ...lists },
      ...{ expertCount, rowsOfJob, width },
    });
    this.#rows.multiply(experts, rowCount, { scales: NULL, order, jobs, jobCount, jobCountMax: rowCount, expertCount });
    this.#kernels.reply(rowCount, { asked, y, out: link.y, answered: link.answered, arrived, width });
  }
}
