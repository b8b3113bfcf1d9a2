import type { ExchangeRequest, ExchangeResult, ExpertExchange } from "@drover/core";
import { dispatchByExpert, gatherRows, scatterRows } from "./dispatch.ts";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";
import { EMPTY_MAP, type HolderMap, isReachable } from "./holder-map.ts";

/** What the exchange reports as it decides: tokens by expert, rows that found no answer. */
export interface ExchangeObserver {
  rowsRouted(layer: number, expert: number, rowCount: number): void;
  rowsMissing(layer: number, rowCount: number): void;
}

/** A run of sorted rows that goes to one peer. */
type Share = { peer: ExpertPeer; experts: number[]; counts: number[]; places: number[] };

/**
 * Sends a step's rows to the workers that hold their experts: one call for each worker, in parallel. A row whose expert nobody connected
 * holds, or whose peer gives no answer, tries the expert's next holder once and is otherwise missing.
 */
export class DistributedExchange implements ExpertExchange {
  readonly #hiddenSize: number;
  readonly #peer: (workerId: string) => ExpertPeer | undefined;
  readonly #observer: ExchangeObserver;
  #map: HolderMap = EMPTY_MAP;

  constructor(hiddenSize: number, peer: (workerId: string) => ExpertPeer | undefined, observer: ExchangeObserver) {
    this.#hiddenSize = hiddenSize;
    this.#peer = peer;
    this.#observer = observer;
  }

  /** Takes a newer map; an older epoch is ignored. */
  update(map: HolderMap): void {
    if (map.epoch >= this.#map.epoch) this.#map = map;
  }

  /** After a new leader, whose epochs may start anew. */
  reset(): void {
    this.#map = EMPTY_MAP;
  }

  get map(): HolderMap {
    return this.#map;
  }

  get usable(): boolean {
    return isReachable(this.#map, (id) => this.#peer(id)?.connected ?? false);
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const { layer, expert_a, rowCount } = request;
    const width = this.#hiddenSize;
    const map = this.#map;
    const experts = map.layers.get(layer) ?? [];
    const dispatch = dispatchByExpert(expert_a, Math.max(map.expertCount, 1 + maxOf(expert_a)));
    const shares = new Map<string, Share>();
    const missing: number[] = [];
    let place = 0;
    for (let i = 0; i < dispatch.experts.length; i++) {
      const expert = dispatch.experts[i] ?? 0;
      const count = dispatch.counts[i] ?? 0;
      this.#observer.rowsRouted(layer, expert, count);
      const peer = this.#holder(experts[expert], undefined);
      for (let n = 0; n < count; n++, place++) {
        if (peer === undefined) missing.push(dispatch.order[place] ?? 0);
        else addPlace(shares, peer, expert, place, n === 0);
      }
    }
    const y_aD = new Float32Array(rowCount * width);
    await Promise.all(
      [...shares.values()].map(async (share) => {
        const lost = await this.#call(share, dispatch.order, request, y_aD);
        missing.push(...lost);
      }),
    );
    if (missing.length > 0) this.#observer.rowsMissing(layer, missing.length);
    return { y_aD, missing: missing.sort((a, b) => a - b) };
  }

  #holder(holders: readonly string[] | undefined, except: ExpertPeer | undefined): ExpertPeer | undefined {
    for (const id of holders ?? []) {
      const peer = this.#peer(id);
      if (peer?.connected && peer !== except) return peer;
    }
    return undefined;
  }

  /** Returns the step's rows that got no answer. */
  async #call(share: Share, order: Int32Array, request: ExchangeRequest, y_aD: Float32Array): Promise<number[]> {
    const width = this.#hiddenSize;
    const rows = Int32Array.from(share.places, (place) => order[place] ?? 0);
    const z = gatherRows(request.z_aD, rows, 0, rows.length, width);
    const call = {
      layer: request.layer,
      experts: Int32Array.from(share.experts),
      counts: Int32Array.from(share.counts),
      z,
      mapEpoch: this.#map.epoch,
    };
    let y = await traced(share.peer, call, request);
    if (y === undefined) {
      // Experts are pure functions, so any other holder of all of them may answer instead.
      const layerMap = this.#map.layers.get(request.layer);
      const other = this.#holder(layerMap?.[share.experts[0] ?? 0], share.peer);
      const holdsAll = other !== undefined && share.experts.every((e) => layerMap?.[e]?.includes(other.workerId));
      if (holdsAll) y = await traced(other, call, request);
    }
    if (y === undefined) return [...rows];
    scatterRows(y, rows, 0, rows.length, width, y_aD);
    return [];
  }
}

/** One call to one peer, under a span of its own where the step is traced. */
async function traced(peer: ExpertPeer, call: PeerCall, request: ExchangeRequest): Promise<Float32Array | undefined> {
  const { layer, experts } = call;
  const span = request.traceCall?.("expert call", {
    "drover.worker": peer.workerId,
    "drover.layer": layer,
    "drover.experts": experts.length,
    "drover.rows": call.counts.reduce((sum, count) => sum + count, 0),
  });
  if (span === undefined) return peer.call(call);
  const y = await peer.call({ ...call, trace: span.context });
  span.end(y === undefined ? "unavailable" : undefined);
  return y;
}

function addPlace(shares: Map<string, Share>, peer: ExpertPeer, expert: number, place: number, first: boolean): void {
  let share = shares.get(peer.workerId);
  if (share === undefined) {
    share = { peer, experts: [], counts: [], places: [] };
    shares.set(peer.workerId, share);
  }
  if (first) {
    share.experts.push(expert);
    share.counts.push(1);
  } else share.counts[share.counts.length - 1] = (share.counts.at(-1) ?? 0) + 1;
  share.places.push(place);
}

function maxOf(values: Int32Array): number {
  let most = -1;
  for (const value of values) if (value > most) most = value;
  return most;
}
