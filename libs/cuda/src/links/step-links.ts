import type { ModelConfig } from "@drover/checkpoint";
import { DroverError, type RowLink, type RowLinks, type SharedRoom } from "@drover/core";
import type { CudaDevice, DeviceAddress, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { ExpertTables } from "../experts/expert-tables.ts";
import { LINK_REST_STEPS, LINK_ROWS_MAX, LINKS_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { StepBuffers } from "../model/step-buffers.ts";
import type { LinkKernels } from "./link-kernels.ts";
import { LinkMemory, linkBytes } from "./link-layout.ts";
import { fillRecords, fillTable, type Holders, type PlacedLink, RECORD_BYTES } from "./link-table.ts";

const WORD = 4;
const WIDE = 8;
const NANOSECONDS = 1e6;

/** What is asked and told where rows go to other cards by themselves. */
export type DirectRows = Readonly<{
  /** The map as it is now: another one is another object. */
  map: () => Holders;
  /** Learns of rows whose expert is on another card. */
  rowsAway: (layer: number, expert: number, rowCount: number) => void;
  /** Learns of calls that a worker's card was asked for. */
  sent: (workerId: string, callCount: number) => void;
}>;

/** What came of a step's rows that went by themselves: those that have no answer, and how long it waited. */
export type DirectAnswer = Readonly<{ lost: readonly number[]; exchangeMs: number }>;

/**
 * The links of one card's steps to other cards of the host. A step whose experts are all here or behind a link is enqueued as a whole: kernels write its rows into memory
 * that the other process's card reads, wait for the answers there, and never for this process. What comes and goes meanwhile is of the next step.
 */
export class StepLinks implements RowLinks {
  readonly byteCount: number;
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #kernels: LinkKernels;
  readonly #config: ModelConfig;
  readonly #held: ExpertTables | undefined;
  readonly #direct: DirectRows;
  readonly #links: (PlacedLink | undefined)[] = [];
  readonly #host: Readonly<Record<"table" | "records" | "lost" | "told", HostMemory>>;
  readonly #card: Readonly<Record<"table" | "records" | "turns" | "away" | "arrived" | "waited", DeviceAddress>>;
  #known: Readonly<{ map: Holders; held: number; links: number; count: number }> | undefined;
  #version = 0;
  #restCount = 0;
  #toldNs = 0n;
  #isStepping = false;

  constructor(
    card: Readonly<{ device: CudaDevice; memory: DeviceMemory; stream: Stream; kernels: LinkKernels }>,
    config: ModelConfig,
    held: ExpertTables | undefined,
    direct: DirectRows,
  ) {
    const { device, memory, stream } = card;
    this.byteCount = linkBytes(config.hiddenSize);
    this.#device = device;
    this.#stream = stream;
    this.#kernels = card.kernels;
    // While a process of the other side waits there is no time for it.
    card.kernels.prepare();
    this.#config = config;
    this.#held = held;
    this.#direct = direct;
    const tableBytes = WORD * config.moeLayers.length * config.expertCount;
    const recordBytes = RECORD_BYTES * LINKS_MAX;
    const pinned = (byteCount: number) => {
      const made = device.allocateHost(byteCount);
      made.bytes.fill(0);
      return made;
    };
    this.#host = {
      table: pinned(tableBytes),
      records: pinned(recordBytes),
      lost: pinned(WORD * LINK_ROWS_MAX),
      told: pinned(WIDE),
    };
    const room = (byteCount: number) => {
      const address = memory.allocate("exchange", byteCount);
      device.fill(address, 0, byteCount, stream);
      return address;
    };
    this.#card = {
      table: room(tableBytes),
      records: room(recordBytes),
      turns: room(2 * WORD * LINKS_MAX),
      away: room(WORD * LINK_ROWS_MAX),
      arrived: room(WORD),
      waited: room(WIDE),
    };
  }

  open(workerId: string, room: SharedRoom): RowLink {
    const memory = new LinkMemory(room);
    const free = Array.from({ length: LINKS_MAX }, (_, i) => i).find((i) => this.#links[i] === undefined);
    if (free === undefined)
      throw new DroverError("overloaded", `rows go to at most ${LINKS_MAX} other cards by themselves`);
    const address = this.#device.registerHost(room.address, this.byteCount);
    memory.card = this.#device.facts.id;
    const link: PlacedLink = {
      workerId,
      memory,
      address,
      askedCount: 0,
      isTaken: false,
      isCounted: false,
      isGone: false,
    };
    this.#links[free] = link;
    return {
      begin: () => {
        link.isTaken = true;
        this.#version += 1;
      },
      [Symbol.dispose]: () => {
        if (link.isGone) return;
        link.isGone = true;
        link.memory.leave();
        this.#version += 1;
        if (!this.#isStepping) this.#release();
      },
    };
  }

  /** A step begins whose rows may go by themselves. Returns how many links there are; undefined: its rows go the way of all others. Enqueues what the card is told of it. */
  begin(): number | undefined {
    this.#release();
    if (this.#restCount > 0) {
      this.#restCount -= 1;
      return undefined;
    }
    const count = this.#links.some((link) => link?.isTaken === true) ? this.#tell() : 0;
    if (count === 0) return undefined;
    this.#isStepping = true;
    lost(this.#host.lost).fill(0);
    for (const link of this.#taken()) if (link.memory.begin()) link.memory.room.ring();
    return count;
  }

  /** Enqueues that rows of other cards' experts go there. */
  send(
    rowCount: number,
    linkCount: number,
    moeIndex: number,
    { exact, chosen, routing }: StepBuffers,
    live: DeviceAddress,
  ): void {
    const { expertCount, moeLayers } = this.#config;
    const linkOf = this.#card.table + BigInt(WORD * moeIndex * expertCount);
    const rows = { exact, chosen, scales: routing.scales, stride: moeLayers.length, column: moeIndex, live, linkOf };
    this.#kernels.send(rowCount, { ...this.#step(linkCount), ...rows });
  }

  /** Enqueues that their answers are waited for and taken in. */
  receive(rowCount: number, linkCount: number, { routed }: StepBuffers): void {
    const { lost, told } = this.#host;
    const { waited } = this.#card;
    const rows = { routed, lost: lost.address, waited, told: told.address };
    this.#kernels.receive(rowCount, { ...this.#step(linkCount), ...rows });
  }

  #step(linkCount: number) {
    const { records: links, turns, away, arrived } = this.#card;
    return { links, linkCount, turns, away, arrived, width: this.#config.hiddenSize };
  }

  /** The step has ended. `experts` [rows, MoE layers]. */
  end(experts: Uint16Array, rowCount: number): DirectAnswer {
    this.#isStepping = false;
    for (const link of this.#taken()) {
      link.memory.end();
      const { askedCount } = link.memory;
      this.#direct.sent(link.workerId, (askedCount - link.askedCount) >>> 0);
      link.askedCount = askedCount;
      // A call that was waited for too long may yet be answered: its memory is used by no other.
      if (link.memory.isLeft) link.memory.room[Symbol.dispose]();
    }
    this.#release();
    const { buffer, byteOffset } = this.#host.told.bytes;
    const toldNs = new BigUint64Array(buffer, byteOffset, 1)[0] ?? 0n;
    const exchangeMs = Number(toldNs - this.#toldNs) / NANOSECONDS;
    this.#toldNs = toldNs;
    const rows = [...lost(this.#host.lost).subarray(0, rowCount).entries()].flatMap(([row, is]) => (is ? [row] : []));
    if (rows.length > 0) this.#restCount = LINK_REST_STEPS;
    this.#count(experts);
    return { lost: rows, exchangeMs };
  }

  /** Tells of rows whose experts were on other cards. */
  #count(experts: Uint16Array): void {
    const { moeLayers, expertCount } = this.#config;
    const table = this.#table();
    const counts = new Map<number, number>();
    for (const [i, expert] of experts.entries()) {
      const place = (i % moeLayers.length) * expertCount + expert;
      if ((table[place] ?? -1) >= 0) counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    for (const [place, count] of counts) {
      const layer = moeLayers[Math.floor(place / expertCount)];
      if (layer !== undefined) this.#direct.rowsAway(layer, place % expertCount, count);
    }
  }

  /** Tells the card which link leads to whose experts, where that has changed. Returns how many links there are, or 0 where some expert is neither here nor behind one. */
  #tell(): number {
    const [map, held, links] = [this.#direct.map(), this.#held?.version ?? 0, this.#version];
    const known = this.#known;
    if (known?.map === map && known.held === held && known.links === links) return known.count;
    const isWhole = fillTable(this.#table(), this.#links, map, this.#held, this.#config);
    const count = isWhole ? this.#links.length : 0;
    this.#known = { map, held, links, count };
    if (!isWhole) return 0;
    fillRecords(this.#host.records, this.#links, this.#config.hiddenSize);
    for (const [i, link] of this.#links.entries()) {
      if (link === undefined || link.isCounted) continue;
      link.isCounted = true;
      this.#device.fill(this.#card.turns + BigInt(2 * WORD * i), 0, 2 * WORD, this.#stream);
    }
    for (const name of ["table", "records"] as const) {
      const { bytes } = this.#host[name];
      this.#device.copyFromHost(this.#card[name], this.#host[name], 0, bytes.byteLength, this.#stream);
    }
    return count;
  }

  #table(): Int32Array {
    const { buffer, byteOffset, byteLength } = this.#host.table.bytes;
    return new Int32Array(buffer, byteOffset, byteLength / WORD);
  }

  #taken(): PlacedLink[] {
    return this.#links.filter((link): link is PlacedLink => link?.isTaken === true);
  }

  /** Gives back what is of no use any more, while no step is under way. */
  #release(): void {
    for (const [i, link] of this.#links.entries()) {
      if (link?.isGone !== true) continue;
      this.#device.unregisterHost(link.memory.room.address);
      link.memory.room[Symbol.dispose]();
      link.memory.room.unmap();
      this.#links[i] = undefined;
    }
    while (this.#links.length > 0 && this.#links.at(-1) === undefined) this.#links.pop();
  }

  close(): void {
    this.#isStepping = false;
    for (const link of this.#links) if (link !== undefined) link.isGone = true;
    this.#release();
    for (const memory of Object.values(this.#host)) this.#device.freeHost(memory);
  }
}

function lost({ bytes }: HostMemory): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD);
}
