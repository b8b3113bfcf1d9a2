import { type Cuda, type DeviceMemory, MEMORY_KINDS, type MemoryKind } from "@drover/cuda";
import type { Metrics } from "@drover/telemetry";

/** A part of a worker that has memory on its card, and what it does with recorded graphs. */
export type CardPart = Readonly<{
  memory: Pick<DeviceMemory, "used" | "heldBytes">;
  /** What all of it is for; undefined: each of its kinds is shown. */
  kind?: "vision";
  graphCounts?: () => Readonly<{ recorded: number; replayed: number }>;
}>;

/** What a worker's memory on its card is used for; `other` is what the card has given since the worker opened it and no part counts: kernels' code, graphs, other processes. */
export type CardBytes = Readonly<Record<(typeof CARD_KINDS)[number], number>>;

const CARD_KINDS = [...MEMORY_KINDS, "vision", "unused", "other", "free"] as const;

/** What the parts of a worker have on its card, together. */
export class CardUse {
  readonly #device: Pick<Cuda["device"], "freeBytes">;
  readonly #freeAtOpen: number;
  readonly #parts: CardPart[] = [];

  /** The card, before anything is on it. */
  constructor(device: Pick<Cuda["device"], "freeBytes">) {
    this.#device = device;
    this.#freeAtOpen = device.freeBytes;
  }

  add(part: CardPart): void {
    this.#parts.push(part);
  }

  get bytes(): CardBytes {
    const sum = (of: (part: CardPart) => number) => this.#parts.reduce((total, part) => total + of(part), 0);
    const used = (wanted: MemoryKind) => sum(({ memory, kind }) => (kind === undefined ? memory.used(wanted) : 0));
    const [weights, kv] = [used("weights"), used("kv")];
    const [activations, exchange] = [used("activations"), used("exchange")];
    const vision = sum(({ memory, kind }) => (kind === "vision" ? allOf(memory) : 0));
    const held = sum(({ memory }) => memory.heldBytes);
    const free = this.#device.freeBytes;
    const unused = held - weights - kv - activations - exchange - vision;
    const other = Math.max(0, this.#freeAtOpen - free - held);
    return { weights, kv, activations, exchange, vision, unused, other, free };
  }

  get graphCounts(): Readonly<{ recorded: number; replayed: number }> {
    const counts = this.#parts.flatMap(({ graphCounts }) => graphCounts?.() ?? []);
    return {
      recorded: counts.reduce((sum, { recorded }) => sum + recorded, 0),
      replayed: counts.reduce((sum, { replayed }) => sum + replayed, 0),
    };
  }
}

/** Bytes of a part, of every kind. */
function allOf(memory: CardPart["memory"]): number {
  return MEMORY_KINDS.reduce((total, kind) => total + memory.used(kind), 0);
}

/** Shows a card's memory by kind, and its graphs; of a worker without a card zeros. Read at each scrape. */
export function watchCard(metrics: Metrics, use: CardUse | undefined): void {
  const bytes = metrics.gauge("drover_card_bytes", "Bytes of the worker's card by use", ["kind"]);
  const recorded = metrics.counter("drover_card_graphs_recorded_total", "Graphs of steps that were recorded", []);
  const replayed = metrics.counter("drover_card_graph_replays_total", "Graphs of steps that were launched", []);
  let last = { recorded: 0, replayed: 0 };
  metrics.beforeScrape(() => {
    const now = use?.bytes;
    for (const kind of CARD_KINDS) bytes.set({ kind }, now === undefined ? 0 : now[kind]);
    const counts = use?.graphCounts ?? last;
    recorded.inc({}, counts.recorded - last.recorded);
    replayed.inc({}, counts.replayed - last.replayed);
    last = counts;
  });
}
