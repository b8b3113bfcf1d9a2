import { setImmediate } from "node:timers/promises";
import type { ModelConfig } from "@drover/checkpoint";
import { DroverError, type RowLinkAnswers, type SharedRoom } from "@drover/core";
import { captured } from "../driver/captured.ts";
import type { CudaDevice, DeviceAddress, Event, Graph, Stream } from "../driver/cuda-device.ts";
import { passed } from "../driver/passed.ts";
import type { ExpertTables } from "../experts/expert-tables.ts";
import { LINK_LINGER_MS } from "../limits.ts";
import type { DeviceMlp } from "../model/device-weights.ts";
import { type LinkCall, LinkMemory, linkAddresses, linkBytes } from "./link-layout.ts";
import type { LinkedRows } from "./linked-rows.ts";

type OpenLink = {
  readonly memory: LinkMemory;
  readonly address: DeviceAddress;
  readonly graphs: Map<string, Graph>;
  /** The last call that was begun. */
  count: number;
  /** Ends the use of what it reads; undefined: it has ended. */
  end: (() => void) | undefined;
  isGone: boolean;
};

export type LinkAnswersParts = Readonly<{
  config: ModelConfig;
  device: CudaDevice;
  stream: Stream;
  tables: ExpertTables;
  rows: LinkedRows;
  /** Learns of rows that are computed. */
  onRows: (layer: number, expert: number, rowCount: number) => void;
  /** Learns that the card has failed. */
  onFault: (error: unknown) => void;
}>;

/**
 * Calls that other cards of this host write into memory, each answered by one graph that reads and writes it there. While somebody's step is under way this process looks for calls in
 * each turn of its loop; otherwise it sleeps until a bell rings.
 */
export class LinkAnswers implements RowLinkAnswers {
  readonly byteCount: number;
  readonly #parts: LinkAnswersParts;
  readonly #gone: Event;
  readonly #links = new Set<OpenLink>();
  #isLooking = false;

  constructor(parts: LinkAnswersParts) {
    this.#parts = parts;
    this.byteCount = linkBytes(parts.config.hiddenSize);
    this.#gone = parts.device.createEvent();
  }

  answer(room: SharedRoom): void {
    const { device } = this.#parts;
    const memory = new LinkMemory(room);
    if (memory.card === device.facts.id)
      throw new DroverError("unavailable", "a card that waits for another process of its own would keep it waiting");
    const address = device.registerHost(room.address, this.byteCount);
    const link: OpenLink = {
      memory,
      address,
      graphs: new Map(),
      count: memory.askedCount,
      end: undefined,
      isGone: false,
    };
    this.#links.add(link);
    room.listen(
      () => this.#look(),
      () => void this.#leave(link),
    );
    this.#look();
  }

  /** Looks for calls until nobody's step is under way any more. */
  #look(): void {
    if (!this.#isLooking) void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    this.#isLooking = true;
    try {
      for (let activeMs = performance.now(); ; await setImmediate()) {
        for (const link of this.#links) if (this.#take(link)) activeMs = performance.now();
        if (performance.now() - activeMs < LINK_LINGER_MS) continue;
        if ([...this.#links].every(({ memory, isGone }) => isGone || memory.sleep())) break;
        activeMs = performance.now();
      }
    } catch (error) {
      this.#parts.onFault(error);
    }
    this.#isLooking = false;
  }

  /** Begins a call where there is a new one. Whether its asker has a step under way. */
  #take(link: OpenLink): boolean {
    const { memory } = link;
    if (link.isGone) return false;
    const count = memory.askedCount;
    if (link.end !== undefined && memory.answeredCount === link.count) {
      link.end();
      link.end = undefined;
    }
    if (count === link.count) return memory.isStepping;
    link.count = count;
    const call = memory.call();
    const layer = call && this.#parts.config.moeLayers[call.moeIndex];
    // A process that writes such is not to be understood.
    if (call === undefined || layer === undefined) memory.room[Symbol.dispose]();
    else if (!call.experts.every((expert) => expert < 0 || this.#parts.tables.has(layer, expert))) memory.refuse(count);
    else this.#begin(link, call, layer);
    return true;
  }

  #begin(link: OpenLink, call: LinkCall, layer: number): void {
    const { device, stream, tables, onRows } = this.#parts;
    // One that was asked for before the last was answered ends with it: the card answers them in turn.
    link.end ??= tables.begin();
    device.launchGraph(this.#graph(link, call, tables.layer(layer)), stream);
    for (const expert of call.experts) if (expert >= 0) onRows(layer, expert, 1);
  }

  #graph(link: OpenLink, { moeIndex, rowCount }: LinkCall, experts: DeviceMlp): Graph {
    const { device, stream, rows, config } = this.#parts;
    const bucket = rows.bucketOf(rowCount);
    const key = `${moeIndex} ${bucket}`;
    const known = link.graphs.get(key);
    if (known !== undefined) return known;
    const addresses = linkAddresses(link.address, config.hiddenSize);
    const graph = captured(device, stream, () => rows.enqueue(experts, bucket, addresses));
    link.graphs.set(key, graph);
    return graph;
  }

  /** The other side is gone, or this one ends: the memory is given back once the card does not use it any more. */
  async #leave(link: OpenLink): Promise<void> {
    if (link.isGone) return;
    link.isGone = true;
    const { device, stream } = this.#parts;
    try {
      device.record(this.#gone, stream);
      await passed(device, this.#gone);
      this.#release(link);
    } catch (error) {
      this.#parts.onFault(error);
    }
  }

  #release(link: OpenLink): void {
    const { device } = this.#parts;
    if (!this.#links.delete(link)) return;
    link.end?.();
    for (const graph of link.graphs.values()) device.destroyGraph(graph);
    device.unregisterHost(link.memory.room.address);
    link.memory.room.unmap();
  }

  /** Once the stream has ended. */
  close(): void {
    for (const link of this.#links) {
      link.isGone = true;
      link.memory.room[Symbol.dispose]();
      this.#release(link);
    }
    this.#parts.device.destroyEvent(this.#gone);
  }
}
