import { type ClusterState, NO_STATUS, type PrefixCounts, slowWorkers, type WorkerState } from "@drover/fleet";
import { HOT_EXPERTS_MAX, TOP_SILENT_MS } from "../limits.ts";
import type { CardRate } from "./card-rates.ts";
import { columns } from "./columns.ts";
import { amount, byteAmount, milliseconds, percent } from "./top-amounts.ts";

type Rates = ReadonlyMap<string, number>;

/**
 * The lines of `drover top`: the cluster, its lanes, who decodes, what cards do, who holds experts, and which experts are asked for most. `rates` are tokens a
 * second by worker's id, and `cardRates` steps, where they are known.
 */
export function topPage(
  state: ClusterState | undefined,
  rates: Rates = new Map(),
  cardRates: ReadonlyMap<string, CardRate> = new Map(),
): string[] {
  if (state === undefined) return ["The router has not heard of a leading scheduler yet."];
  const attention = state.workers.filter(({ roles }) => roles.includes("attention"));
  const rest = state.workers.filter((worker) => !attention.includes(worker));
  const holders = state.workers.filter(({ roles }) => roles.includes("experts"));
  return [
    headline(state, rates),
    ...(state.expertShortage === undefined ? [] : [state.expertShortage]),
    ...section(LANE_HEAD, state.lanes.map(laneCells)),
    ...section(ATTENTION_HEAD, attention.map(attentionCells(rates))),
    ...section(KV_HEAD, [...attention, ...rest.filter(holdsStripes)].map(kvCells)),
    ...section(CARDS_HEAD, state.workers.flatMap(cardCells(cardRates))),
    ...section(EXPERTS_HEAD, holders.map(expertCells(state, holders))),
    ...section(
      OTHER_HEAD,
      rest.filter(({ roles }) => !roles.includes("experts")).map((worker) => [worker.workerId, ...whoIs(worker)]),
    ),
    ...hottest(attention),
  ];
}

function headline({ modelId, ready, expertMap, schedulerId, routerIds, workers }: ClusterState, rates: Rates): string {
  const map = expertMap.complete ? "complete" : "incomplete";
  const leader = schedulerId.slice(0, "scheduler-".length + 8);
  const speed =
    rates.size === 0 ? "" : `   ${amount([...rates.values()].reduce((sum, rate) => sum + rate, 0))} tokens/s`;
  const counts = `${plural(workers.length, "worker")}, ${plural(routerIds.length, "router")}`;
  return `${modelId}: ${ready ? "ready" : "NOT READY"}   ${counts}${speed}   leader ${leader}   expert map ${map}`;
}

const LANE_HEAD = ["lane", "waiting", "oldest", "predicted wait", "each"];

const laneCells = ({
  lane,
  waitingCount,
  oldestAgeMs,
  predictedWaitMs,
  waitMsPerJob,
}: ClusterState["lanes"][number]) => [
  lane,
  String(waitingCount),
  milliseconds(oldestAgeMs),
  milliseconds(predictedWaitMs),
  milliseconds(waitMsPerJob),
];

const ATTENTION_HEAD = [
  ...["decoding", "state", "roles", "running", "waiting"],
  ...["tokens/s", "prompts", "of a step", "row ms"],
];

const attentionCells =
  (rates: Rates) =>
  (worker: WorkerState): string[] => {
    const rate = rates.get(worker.workerId);
    const { runningCount, waitingCount, costs, pendingPromptMs } = worker.status ?? NO_STATUS;
    const promptsMs = pendingPromptMs.reduce((sum, ms) => sum + ms, 0);
    return [
      worker.workerId,
      ...whoIs(worker),
      String(runningCount),
      String(waitingCount),
      rate === undefined ? "-" : amount(rate),
      milliseconds(promptsMs),
      costs.stepMsMax === 0 ? "-" : percent(costs.decodeMs, costs.stepMsMax),
      costs.promptRowMs === 0 ? "-" : costs.promptRowMs.toPrecision(2),
    ];
  };

/** Of context workers all KV is stripes: global rows of sequences that others decode. */
const holdsStripes = ({ roles }: WorkerState) => roles.includes("context");

const KV_HEAD = ["KV", "as", "used", "of", "global", "cached", "local", "cached", "blocks", "hits", "predicted"];

/** Hits are shares of the prompt tokens that were begun there, and that were placed there. */
function kvCells({ workerId, kvDtype, status, predictedPrefix, indexedBlockCount }: WorkerState): string[] {
  const { globalKv, localKv, kvBytesUsed, kvBytesMax, prefix } = status ?? NO_STATUS;
  const kinds = [globalKv, localKv].flatMap((kind) => [
    kind === undefined ? "-" : byteAmount(kind.referenced),
    kind === undefined ? "-" : byteAmount(kind.cached),
  ]);
  const share = ({ cachedTokenCount, promptTokenCount }: PrefixCounts) => percent(cachedTokenCount, promptTokenCount);
  return [
    workerId,
    kvDtype ?? "-",
    byteAmount(kvBytesUsed),
    byteAmount(kvBytesMax),
    ...kinds,
    amount(indexedBlockCount),
    share(prefix),
    share(predictedPrefix),
  ];
}

const CARDS_HEAD = [
  ...["cards", "device", "weights", "KV", "steps", "exchange", "other", "free"],
  ...["experts", "steps/s", "computing", "rows by memory"],
];

/** `computing` is the share of the time, and `rows by memory` that of frames to other workers' experts; the rest went over gRPC. */
function cardCells(rates: ReadonlyMap<string, CardRate>): (worker: WorkerState) => string[][] {
  return ({ workerId, status, expertCount }) => {
    if (status?.card === undefined) return [];
    const { device, weights, kv, activations, exchange, unused, other, free } = status.card;
    const { sharedMemory, grpc } = status.frames;
    const rate = rates.get(workerId);
    return [
      [
        ...[workerId, device, ...[weights, kv, activations, exchange, unused + other, free].map(byteAmount)],
        ...[String(expertCount), rate === undefined ? "-" : amount(rate.stepsPerSecond)],
        ...[rate === undefined ? "-" : percent(rate.computing, 1), percent(sharedMemory, sharedMemory + grpc)],
      ],
    ];
  };
}

const EXPERTS_HEAD = ["experts", "state", "roles", "held", "rows", "of all", "pace"];

/** The pace is what attention workers find: that it is silent, or how many times as long as the others it takes; nothing where it keeps up. */
function expertCells(state: ClusterState, holders: readonly WorkerState[]): (worker: WorkerState) => string[] {
  const slow = slowWorkers(state.workers);
  const paceOf = ({ workerId }: WorkerState) => {
    const found = slow.get(workerId);
    if (found === undefined) return "";
    return found.isSilent ? "silent" : `${found.slowness.toFixed(1)}x as long`;
  };
  const rowsOf = ({ status }: WorkerState) => (status ?? NO_STATUS).expertRowCount;
  const all = holders.reduce((sum, worker) => sum + rowsOf(worker), 0);
  return (worker) => [
    worker.workerId,
    ...whoIs(worker),
    String(worker.expertCount),
    amount(rowsOf(worker)),
    percent(rowsOf(worker), all),
    paceOf(worker),
  ];
}

const OTHER_HEAD = ["others", "state", "roles"];

function whoIs({ roles, status, silentMs, frozen, drain }: WorkerState): [state: string, roles: string] {
  const served = status?.ready ? "ready" : "starting";
  const drains = drain?.drained ? "drained" : drain?.obstacle === undefined ? "draining" : "cannot drain";
  if (frozen) return ["frozen", roles.join("+")];
  const state = silentMs > TOP_SILENT_MS ? `silent ${milliseconds(silentMs)}` : drain === undefined ? served : drains;
  return [state, roles.join("+")];
}

/** Over all attention workers: each names its own hottest. */
function hottest(attention: readonly WorkerState[]): string[] {
  const rows = new Map<string, number>();
  for (const { layer, expert, rowCount } of attention.flatMap(({ status }) => (status ?? NO_STATUS).hottest)) {
    const name = `${layer}/${expert}`;
    rows.set(name, (rows.get(name) ?? 0) + rowCount);
  }
  const list = [...rows].sort(([, a], [, b]) => b - a).slice(0, HOT_EXPERTS_MAX);
  if (list.length === 0) return [];
  return [
    "",
    "hottest experts, layer/expert and rows",
    list.map(([name, count]) => `${name} ${amount(count)}`).join("   "),
  ];
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : ["", ...columns([head, ...rows])];
}

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
