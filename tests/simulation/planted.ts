import type { JobLease, StepEntry, StepRunner } from "@drover/core";
import type { PlaceRequest } from "@drover/proto";
import type { RpcService } from "@drover/rpc";
import type { Seams } from "./seams.ts";

type Call = Readonly<{ request: PlaceRequest; metadata: unknown }>;
type Handle = (call: unknown, callback: unknown) => void;

/** One method of a service, answered otherwise. */
function changed(
  [definition, implementation]: RpcService,
  method: string,
  change: (handle: Handle) => Handle,
): RpcService {
  const handle = implementation[method] as unknown as Handle | undefined;
  if (handle === undefined) return [definition, implementation];
  return [definition, { ...implementation, [method]: change(handle) as unknown as (typeof implementation)[string] }];
}

/** A runner whose entries are others. */
const withEntries = (runner: StepRunner, change: (entry: StepEntry) => StepEntry): StepRunner => ({
  hiddenSize: runner.hiddenSize,
  get usable() {
    return runner.usable;
  },
  submit: ({ entries, traceCall }) => runner.submit({ entries: entries.map(change), traceCall }),
});

/** A leader does not hear that it was replaced, and goes on. */
const deposedLeads: Seams = {
  lease: (lease) => ({
    trouble: undefined,
    leaderAddress: (signal) => lease.leaderAddress(signal),
    acquire: async (signal) => {
      const { epoch, release } = await lease.acquire(signal);
      return { epoch, release, lost: new AbortController().signal };
    },
  }),
};

/** No leader is refused for its epoch by who has joined a newer one. */
const skippedFence: Seams = {
  ...deposedLeads,
  join: (join) => {
    let newest = 0n;
    return (address, listener) =>
      join(address, {
        onHeaders: () => listener.onHeaders(),
        onDrain: () => listener.onDrain(),
        onEnd: (reason) => listener.onEnd(reason),
        onMessage: (order) => {
          if (order?.kind !== "accepted") return listener.onMessage(order);
          if (order.leaderEpoch > newest) newest = order.leaderEpoch;
          listener.onMessage({ ...order, leaderEpoch: newest });
        },
      });
  },
};

/** A worker takes placements of whatever leader. */
const epochNotCompared: Seams = {
  service: (service) =>
    changed(service, "place", (handle) => (call, callback) => {
      const { request, metadata } = call as Call;
      handle({ request: { ...request, leaderEpoch: 2n ** 60n }, metadata }, callback);
    }),
};

/** A worker does not hear that a request was cancelled. */
const lostCancel: Seams = {
  service: (service) =>
    changed(service, "tokens", (handle) => (call, callback) => {
      const stream = call as { on(event: string, hear: (value: unknown) => void): unknown };
      const on = stream.on.bind(stream);
      stream.on = (event, hear) =>
        on(event, (value) => {
          const isCancel = (value as { message?: { case?: string } } | undefined)?.message?.case === "cancel";
          if (event !== "data" || !isCancel) hear(value);
        });
      handle(stream, callback);
    }),
};

/** Behind the eighth token the place of the next one is counted wrongly. */
const tokenIndexOffByOne: Seams = {
  runner: (runner) =>
    withEntries(runner, (entry) => {
      const { draw } = entry;
      return draw === undefined || draw.index < 8 ? entry : { ...entry, draw: { ...draw, index: draw.index + 1 } };
    }),
};

/** The KV of a long sequence is let go of twice. */
const extentFreedTwice: Seams = {
  sequences: (sequences) => {
    const close = sequences.close.bind(sequences);
    sequences.close = (sequence) => {
      const isLong = sequence.length > 100;
      close(sequence);
      if (isLong) close(sequence);
    };
    return sequences;
  },
};

/** An expert worker's frame is answered twice, and the second answer taken for that of the next frame. */
const hedgeAnsweredTwice: Seams = {
  service: (service) =>
    changed(service, "exchange", (handle) => (call, callback) => {
      const stream = call as { write(reply: { correlationId: bigint }): boolean };
      const write = stream.write.bind(stream);
      stream.write = (reply) => {
        write(reply);
        return write({ ...reply, correlationId: reply.correlationId + 1n });
      };
      handle(stream, callback);
    }),
};

/** A job leaves the queue when it is taken. */
const jobAcknowledgedEarly: Seams = {
  consumer: (consumer) => ({
    take: async (lane, signal, only) => {
      const lease = await consumer.take(lane, signal, only);
      await lease?.complete(signal);
      return lease && acknowledged(lease);
    },
    isCancelled: (id, signal) => consumer.isCancelled(id, signal),
    depth: (signal) => consumer.depth(signal),
    onAvailable: (listener) => consumer.onAvailable(listener),
    dropRouter: (router, signal) => consumer.dropRouter(router, signal),
  }),
};

const acknowledged = ({ job, attempt, lost }: JobLease): JobLease => ({
  job,
  attempt,
  lost,
  complete: async () => undefined,
  release: async () => undefined,
});

/** A sequence that was parked once is never computed again. */
const parkedForgotten: Seams = {
  runner: (runner) => {
    const parked = new WeakSet<object>();
    return {
      hiddenSize: runner.hiddenSize,
      get usable() {
        return runner.usable;
      },
      submit: (step) => ({
        result: async () => {
          const { entries, times } = await runner.submit(step).result();
          const kept = entries.map((result, i) => {
            const sequence = step.entries[i]?.sequence;
            if (sequence === undefined) return result;
            if (result.kind === "parked") parked.add(sequence);
            return parked.has(sequence) ? { kind: "parked" as const } : result;
          });
          return { entries: kept, times };
        },
      }),
    };
  },
};

/** Behind a prefix that was found cached, or is computed again, the first token is left out and its neighbour read twice. */
const prefixSkipsToken: Seams = {
  runner: (runner) =>
    withEntries(runner, (entry) => {
      const { tokenIds, sequence } = entry;
      if (sequence.cachedCount === 0 || sequence.length !== sequence.cachedCount || tokenIds.length < 2) return entry;
      const shifted = Int32Array.from(tokenIds);
      shifted[0] = tokenIds[1] ?? 0;
      return { ...entry, tokenIds: shifted };
    }),
};

/** A worker that is told what to hold lets go of an expert that the map in use still names. */
const expertDroppedInUse: Seams = {
  join: (join) => (address, listener) => {
    let toldCount = 0;
    return join(address, {
      onHeaders: () => listener.onHeaders(),
      onDrain: () => listener.onDrain(),
      onEnd: (reason) => listener.onEnd(reason),
      onMessage: (order) => {
        if (order?.kind !== "set_experts") return listener.onMessage(order);
        toldCount += 1;
        if (toldCount < 2) return listener.onMessage(order);
        const experts = new Map(
          [...order.experts].map(([layer, held]) => [layer, new Set([...held].slice(1))] as const),
        );
        listener.onMessage({ ...order, experts });
      },
    });
  },
};

/** Two schedulers both believe that they lead: a fault that the workers' fences make harmless. */
export const TWO_LEADERS = deposedLeads;

/** Faults of a kind that must not come into the product, each planted between two of its parts. */
export const PLANTED: Readonly<Record<string, Seams>> = {
  "a fencing check that is skipped": skippedFence,
  "an epoch that is not compared": epochNotCompared,
  "a cancel that is lost": lostCancel,
  "a token index that is off by one": tokenIndexOffByOne,
  "an extent that is freed twice": extentFreedTwice,
  "a hedge that is answered twice": hedgeAnsweredTwice,
  "a job that is acknowledged before it is done": jobAcknowledgedEarly,
  "a parked sequence that is forgotten": parkedForgotten,
  "a replayed prefix that skips a token": prefixSkipsToken,
  "a map change that drops an expert in use": expertDroppedInUse,
};
