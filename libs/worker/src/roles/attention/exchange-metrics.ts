import type { ExchangeObserver, PeerState } from "@drover/exchange";
import type { WorkerStatus } from "@drover/fleet";
import type { ExchangeMeter, Transport } from "@drover/rpc";
import type { HistogramSeries, Metrics, Tally } from "@drover/telemetry";
import type { ExpertHeat } from "./expert-heat.ts";

const CALL_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Tells at each scrape how many times as long as the others each holder of experts takes. */
export function watchSlowness(metrics: Metrics, modelName: string, peers: () => readonly PeerState[]): void {
  const gauge = metrics.gauge(
    "drover_exchange_peer_slowness",
    "How many times as long as the others the worker takes for its rows; 1 unless it is clearly slow",
    ["model_name", "peer"],
  );
  metrics.beforeScrape(() => {
    gauge.reset();
    for (const { workerId: peer, slowness } of peers()) gauge.set({ model_name: modelName, peer }, slowness);
  });
}

/** Counts which experts rows are routed to, and what the exchange with other workers takes; `heat` learns of the routed rows too. `sent`: frames so far, by how they went. */
export function exchangeMetrics(
  metrics: Metrics,
  modelName: string,
  heat: ExpertHeat,
): Readonly<{ routing: ExchangeObserver; meter: ExchangeMeter; sent: () => WorkerStatus["frames"] }> {
  const model = { model_name: modelName };
  const labels = ["model_name"] as const;
  const rows = metrics.counter("drover_exchange_rows_total", "Rows that asked for an expert, by layer", [
    ...labels,
    "layer",
  ]);
  const missing = metrics.counter("drover_exchange_missing_rows_total", "Of them, those without an answer", labels);
  missing.inc(model, 0);
  const frames = framesByTransport(metrics, modelName);
  const sent: Record<Transport, number> = { card_memory: 0, shared_memory: 0, grpc: 0 };
  const { begin, repeated } = repeatedRows(metrics, modelName);
  const seriesOf = peerSeries(metrics, modelName);
  // Counted here and handed to the registry at a scrape: this runs for every expert of every layer and step.
  const routed = new Map<number, number>();
  metrics.beforeScrape(() => {
    for (const [layer, count] of routed) rows.inc({ ...model, layer: String(layer) }, count);
    routed.clear();
  });
  return {
    routing: {
      rowsRouted: (layer, expert, count) => {
        routed.set(layer, (routed.get(layer) ?? 0) + count);
        heat.rowsRouted(layer, expert, count);
      },
      rowsMissing: (_layer, count) => missing.inc(model, count),
      rowsRepeated: (peer, count, isRescued) => repeated(peer, isRescued ? "other" : "peer", count),
    },
    meter: {
      exchanged: (peer, tookSeconds, bytesOut, bytesIn) => {
        begin(peer);
        const series = seriesOf(peer);
        series.seconds.observe(tookSeconds);
        series.out.add(bytesOut);
        series.in.add(bytesIn);
      },
      sent: (_peer, transport, count = 1) => {
        frames[transport].add(count);
        sent[transport] += count;
      },
    },
    sent: () => ({ sharedMemory: sent.shared_memory + sent.card_memory, grpc: sent.grpc }),
  };
}

/** What a frame adds to, by how it went. */
function framesByTransport(metrics: Metrics, modelName: string): Readonly<Record<Transport, Tally>> {
  const frames = metrics.counter(
    "drover_exchange_frames_total",
    "Frames of rows that were sent to other workers, by how they went",
    ["model_name", "transport"],
  );
  const by = (transport: Transport) => metrics.tally(frames, { model_name: modelName, transport });
  return { card_memory: by("card_memory"), shared_memory: by("shared_memory"), grpc: by("grpc") };
}

/** What a call to one peer adds to. */
type PeerSeries = Readonly<{ seconds: HistogramSeries; out: Tally; in: Tally }>;

/** Finds a peer's series, which are made with its first call. */
function peerSeries(metrics: Metrics, modelName: string): (peer: string) => PeerSeries {
  const labels = ["model_name", "peer"] as const;
  const seconds = metrics.histogram(
    "drover_exchange_seconds",
    "One worker's rows of one layer, there and back",
    labels,
    CALL_BUCKETS,
  );
  const bytes = metrics.counter("drover_exchange_bytes_total", "Activations exchanged", [...labels, "direction"]);
  const known = new Map<string, PeerSeries>();
  return (peer) => {
    const found = known.get(peer);
    if (found !== undefined) return found;
    const own = { model_name: modelName, peer };
    const direction = (name: string) => metrics.tally(bytes, { ...own, direction: name });
    const made = { seconds: seconds.of(own), out: direction("out"), in: direction("in") };
    known.set(peer, made);
    return made;
  };
}

/** Rows that were asked for twice. A rate of what has not happened yet needs a series at zero: `begin` makes a peer's. */
function repeatedRows(metrics: Metrics, modelName: string) {
  const counter = metrics.counter(
    "drover_exchange_repeated_rows_total",
    "Rows of a late worker that were asked for elsewhere too, by who answered first",
    ["model_name", "peer", "first"],
  );
  const begun = new Set<string>();
  const repeated = (peer: string, first: "peer" | "other", count: number) =>
    counter.inc({ model_name: modelName, peer, first }, count);
  const begin = (peer: string) => {
    if (begun.has(peer)) return;
    begun.add(peer);
    for (const first of ["peer", "other"] as const) repeated(peer, first, 0);
  };
  return { begin, repeated };
}
