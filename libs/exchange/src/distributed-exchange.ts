import { at, type Clock, type ExchangeRequest, type ExchangeResult, type ExpertExchange } from "@drover/core";
import { dispatchByExpert } from "./dispatch.ts";
import { askTraced, ExpertCalls } from "./expert-calls.ts";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";
import { HereOrAmong } from "./here-or-among.ts";
import { commonHolders, EMPTY_MAP, type HolderMap, isReachable } from "./holder-map.ts";
import { UNREACHED_MS_MAX } from "./limits.ts";
import { ReachedPeers } from "./reached-peers.ts";
import { type ExpertRows, expertRowsOf, highest, type RoutedRows } from "./routed-rows.ts";
import { type BalancedExpert, balanceRows } from "./row-balance.ts";
import { addRows, type Share, type Shares } from "./share.ts";

/** What the exchange reports as it decides: tokens by expert, rows that found no answer. */
export interface ExchangeObserver {
  rowsRouted(layer: number, expert: number, rowCount: number): void;
  rowsMissing(layer: number, rowCount: number): void;
  /** Rows of a late worker were asked for elsewhere too; whether these answered first. */
  rowsRepeated?(workerId: string, rowCount: number, isRescued: boolean): void;
}

/** How another worker answers: how many times as long as the others it takes, 1 unless it is clearly slow, and whether it answers at all. */
export type PeerState = Readonly<{ workerId: string; slowness: number; isSilent: boolean }>;

/** Resolves once what was written to other processes has left this one. */
export type WhenSent = () => Promise<unknown>;

/** A layer's rows while they are asked for. `isOver`: whether nobody waits for them any more; absent where they are waited for in any case. */
type Asking = Readonly<{ request: ExchangeRequest; y_aD: Float32Array; isOver?: () => boolean }>;

/** Peers that have not answered a call of this layer and step. */
type Silent = ReadonlySet<ExpertPeer>;
const NOBODY: Silent = new Set();

/**
 * Sends a step's rows to the workers that hold their experts: one call for each worker, in parallel, and those of this process while the others
 * compute. Of an expert's holders the rows go to those that have least to do. Where a call is late, its rows go to other holders too, and the first answer counts.
 * Where a peer gives no answer, its rows go on at once to the next holder of each of their experts, without waiting for the other calls. A row is missing
 * when nobody connected is left that holds its expert.
 */
export class DistributedExchange implements ExpertExchange {
  readonly #hiddenSize: number;
  readonly #peer: (workerId: string) => ExpertPeer | undefined;
  readonly #observer: ExchangeObserver;
  readonly #whenSent: WhenSent;
  readonly #calls: ExpertCalls;
  readonly #clock: Clock;
  #ways = new HereOrAmong();
  /** Since when holders that the map names cannot be reached. */
  readonly #unreachedSinceMs = new Map<string, number>();
  #map: HolderMap = EMPTY_MAP;
  /** All that the map names. */
  #holders: ReadonlySet<string> = new Set();

  constructor(
    hiddenSize: number,
    peer: (workerId: string) => ExpertPeer | undefined,
    observer: ExchangeObserver,
    whenSent: WhenSent,
    clock: Clock,
  ) {
    this.#calls = new ExpertCalls(clock);
    this.#clock = clock;
    this.#hiddenSize = hiddenSize;
    this.#peer = peer;
    this.#observer = observer;
    this.#whenSent = whenSent;
  }

  /** Takes a newer map; an older epoch is ignored. */
  update(map: HolderMap): void {
    if (map.epoch < this.#map.epoch) return;
    this.#map = map;
    const holders = new Set([...map.layers.values()].flat(2));
    // Nobody knows yet how others answer.
    if ([...holders].some((workerId) => !this.#holders.has(workerId))) this.#ways = new HereOrAmong();
    this.#holders = holders;
    this.#calls.keep(this.#holders);
    for (const workerId of this.#unreachedSinceMs.keys())
      if (!this.#holders.has(workerId)) this.#unreachedSinceMs.delete(workerId);
  }

  /** After a new leader, whose epochs may start anew. */
  reset(): void {
    this.#map = EMPTY_MAP;
    this.#holders = new Set();
  }

  /** How the map's other workers answer, each of them. */
  pacesOfPeers(): readonly PeerState[] {
    return [...this.#holders].flatMap((workerId) => {
      const peer = this.#peer(workerId);
      if (peer?.isHere === true) return [];
      const slowness = peer === undefined ? 1 : this.#calls.slowness(peer);
      const isSilent = this.#isUnreached(workerId, peer) || (peer !== undefined && this.#calls.isSilent(peer));
      return [{ workerId, slowness, isSilent }];
    });
  }

  /** Whether a holder could not be reached for too long, as far as it was asked. */
  #isUnreached(workerId: string, peer: ExpertPeer | undefined): boolean {
    const now = this.#clock.monotonic();
    const sinceMs = this.#unreachedSinceMs.get(workerId) ?? now;
    if (peer?.connected === true) this.#unreachedSinceMs.delete(workerId);
    else this.#unreachedSinceMs.set(workerId, sinceMs);
    return now - sinceMs >= UNREACHED_MS_MAX;
  }

  get map(): HolderMap {
    return this.#map;
  }

  get usable(): boolean {
    return isReachable(this.#map, (id) => this.#reach(id, NOBODY) !== undefined);
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeResult> {
    const width = this.#hiddenSize;
    const y_aD = request.y_aD ?? new Float32Array(request.rowCount * width);
    const asking = { request, y_aD };
    const routed = this.#route(request);
    const missing = await this.#computed(routed, asking);
    missing.sort((a, b) => a - b);
    // A peer may have answered some rows of a call that failed.
    for (const row of missing) y_aD.fill(0, row * width, (row + 1) * width);
    if (missing.length > 0) this.#observer.rowsMissing(request.layer, missing.length);
    return { y_aD, missing };
  }

  /** The rows by expert, which count as routed. */
  #route({ layer, expert_a, rowCount }: ExchangeRequest): RoutedRows {
    const expertCount = Math.max(this.#map.expertCount, 1 + highest(expert_a));
    const { order: rows, experts, counts } = dispatchByExpert(expert_a, expertCount);
    for (let i = 0; i < experts.length; i++) this.#observer.rowsRouted(layer, at(experts, i), at(counts, i));
    this.#calls.routed(rowCount);
    return { experts, counts, rows };
  }

  /** Has the rows computed, here or among all holders where both can be. Returns those that got no answer. */
  async #computed(routed: RoutedRows, asking: Asking): Promise<number[]> {
    const { here, isAlone } = this.#holdsHere(asking.request.layer, routed.experts);
    if (here === undefined) return await this.#exchangeAmong(expertRowsOf(routed), asking);
    if (isAlone) return await this.#askHere(here, routed, asking);
    const beganMs = this.#clock.monotonic();
    const { rowCount } = asking.request;
    // Those of this map: another one may have come by the end.
    const ways = this.#ways;
    const way = ways.choose(rowCount, beganMs);
    const missing =
      way === "here"
        ? await this.#askHere(here, routed, asking)
        : await this.#exchangeAmong(expertRowsOf(routed), asking);
    const now = this.#clock.monotonic();
    // Rows that nobody answers may be told so quickly.
    if (missing.length === 0) ways.note(way, rowCount, now - beganMs, now);
    return missing;
  }

  /** The peer of this process, where it holds all of these experts, and whether nobody else holds any of them: then there is nothing to share out. */
  #holdsHere(layer: number, experts: Int32Array): Readonly<{ here: ExpertPeer | undefined; isAlone: boolean }> {
    const { holders, isAlone } = commonHolders(this.#map, layer, experts);
    const here = holders.map((id) => this.#reach(id, NOBODY)).find((peer) => peer?.isHere === true);
    return { here, isAlone };
  }

  /** Has all rows computed in this process. Returns those that got no answer, here or of whoever holds their experts by then. */
  async #askHere(peer: ExpertPeer, routed: RoutedRows, asking: Asking): Promise<number[]> {
    const { layer, z_aD, traceCall, meanwhile } = asking.request;
    meanwhile?.();
    const call = { layer, ...routed, z_aD, y_aD: asking.y_aD, width: this.#hiddenSize };
    if (await askTraced(peer, call, traceCall)) return [];
    return await this.#next(expertRowsOf(routed), asking, new Set([peer]));
  }

  /** Has the rows computed by those that hold their experts. Returns those that got no answer. */
  async #exchangeAmong(byExpert: readonly ExpertRows[], asking: Asking): Promise<number[]> {
    const { layer, meanwhile } = asking.request;
    const { shares, missing } = this.#share(layer, byExpert, NOBODY);
    const answer = (share: Share) => this.#answer(share, asking, NOBODY);
    const lostElsewhere = shares.filter(({ peer }) => !peer.isHere).map(answer);
    const own = shares.filter(({ peer }) => peer.isHere);
    // What is computed here holds up the loop that sends: the others' rows leave before.
    if (lostElsewhere.length > 0 && (own.length > 0 || meanwhile !== undefined)) await this.#whenSent();
    meanwhile?.();
    const lost = await Promise.all([...lostElsewhere, ...own.map(answer)]);
    return [...missing, ...lost.flat()];
  }

  /** Gives rows out to those that hold their experts, so that all are done as soon as can be. */
  #share(layer: number, byExpert: readonly ExpertRows[], silent: Silent): Shares {
    const holders = this.#map.layers.get(layer);
    const known = new ReachedPeers((id) => this.#reach(id, silent));
    const missing: number[] = [];
    const held: ExpertRows[] = [];
    const balanced: BalancedExpert[] = [];
    for (const asked of byExpert) {
      const reached = known.indicesOf(holders?.[asked.expert]);
      if (reached.length === 0) missing.push(...asked.rows);
      else {
        held.push(asked);
        balanced.push({ rowCount: asked.rows.length, holders: reached });
      }
    }
    const { peers } = known;
    const ahead = peers.map((peer) => this.#calls.ahead(peer));
    const speeds = peers.map((peer) => 1 / this.#calls.slowness(peer));
    const counts = balanceRows(balanced, ahead, speeds);
    const shares = new Map<string, Share>();
    for (const [i, { expert, rows }] of held.entries()) {
      let from = 0;
      for (const [place, count] of at(counts, i).entries()) {
        if (count === 0) continue;
        addRows(shares, at(peers, at(at(balanced, i).holders, place)), expert, rows.subarray(from, from + count));
        from += count;
      }
    }
    return { shares: [...shares.values()], missing };
  }

  /**
   * Has a share's rows of `y_aD` written, by its peer or whoever else holds their experts. Returns those of them that got no answer. It ends: with each
   * peer that is silent there are fewer to ask.
   */
  async #answer(share: Share, asking: Asking, silent: Silent): Promise<number[]> {
    const { layer, z_aD, traceCall } = asking.request;
    let isOver = false;
    const call = {
      layer,
      experts: Int32Array.from(share.experts),
      counts: Int32Array.from(share.counts),
      rows: Int32Array.from(share.rows),
      z_aD,
      y_aD: asking.y_aD,
      width: this.#hiddenSize,
      ...(share.peer.isHere && asking.isOver === undefined
        ? {}
        : { isOver: () => isOver || asking.isOver?.() === true }),
    };
    const others = new Set([...silent, share.peer]);
    const asked = this.#calls.ask(share.peer, call, traceCall);
    const elsewhere = await this.#repeat(share, asked, call, asking, others);
    if (elsewhere !== undefined) {
      isOver = true;
      return elsewhere;
    }
    if (await asked) return [];
    return await this.#next(expertRowsOf(call), asking, others);
  }

  /**
   * Where a call is late, and others hold all of its experts, its rows go to these too, and the first answer counts. Where its peer stays silent, nobody waits for
   * it any more, and its rows go to whoever else holds them. Undefined where the call itself has ended, or is to be waited for; else the rows that nobody has answered.
   */
  async #repeat(
    { peer }: Share,
    asked: Promise<boolean>,
    call: PeerCall,
    asking: Asking,
    others: Silent,
  ): Promise<number[] | undefined> {
    const rowCount = call.rows.length;
    if (await this.#calls.isInTime(asked, peer, rowCount)) return undefined;
    const answered = this.#calls.isAnswered(asked, peer, rowCount);
    const byExpert = expertRowsOf(call);
    const holders = this.#map.layers.get(call.layer);
    const isHeld = byExpert.every(({ expert }) => (holders?.[expert] ?? []).some((id) => this.#reach(id, others)));
    if (!isHeld || !this.#calls.mayRepeat(rowCount))
      return (await answered) ? undefined : await this.#next(byExpert, asking, others);
    let isAnswered = false;
    const repeated = this.#next(
      byExpert,
      { ...asking, isOver: () => isAnswered || asking.isOver?.() === true },
      others,
    );
    // Whoever has all of it first counts; where one has not, the other is waited for.
    const outcome = await Promise.race([
      answered.then(async (isDone): Promise<number[] | undefined> => (isDone ? undefined : await repeated)),
      repeated.then(async (lost) => (lost.length > 0 && (await answered) ? undefined : lost)),
    ]);
    isAnswered = outcome === undefined;
    this.#observer.rowsRepeated?.(peer.workerId, rowCount, !isAnswered);
    return outcome;
  }

  /** Who can be asked by this name now. */
  #reach(workerId: string, silent: Silent): ExpertPeer | undefined {
    const peer = this.#peer(workerId);
    return peer?.connected === true && !silent.has(peer) && !this.#calls.isWithheld(peer) ? peer : undefined;
  }

  /** Gives rows to the holders that are left. Returns those that got no answer. */
  async #next(byExpert: readonly ExpertRows[], asking: Asking, silent: Silent): Promise<number[]> {
    const { shares, missing } = this.#share(asking.request.layer, byExpert, silent);
    const lost = await Promise.all(shares.map((share) => this.#answer(share, asking, silent)));
    return [...missing, ...lost.flat()];
  }
}
