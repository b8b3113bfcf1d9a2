import { create } from "@bufbuild/protobuf";
import { assertNever } from "@drover/core";
import type { ExpertSet, WorkerStatus } from "@drover/fleet";
import { ExpertsLoadedSchema, LeavingSchema, type WorkerReport as Message, WorkerReportSchema } from "@drover/proto";
import { type CacheChanges, cacheChangesFromWire, cacheChangesToWire } from "./cache-changes.ts";
import { type CacheSnapshotPart, cacheSnapshotPartFromWire, cacheSnapshotPartToWire } from "./cache-snapshot.ts";
import { type JoinHello, joinHelloFromWire, joinHelloToWire } from "./join-hello.ts";
import { layerExpertsFromWire, layerExpertsToWire } from "./layer-experts.ts";
import { wireFault } from "./wire-fault.ts";
import { workerStatusFromWire, workerStatusToWire } from "./worker-status.ts";

/** What a worker tells the leading scheduler. */
export type WorkerReport =
  /** First on every stream. */
  | Readonly<{ kind: "hello"; hello: JoinHello }>
  | Readonly<{ kind: "status"; status: WorkerStatus }>
  /** All experts that it has in memory, after every join and every change. */
  | Readonly<{ kind: "loaded"; experts: ExpertSet }>
  /** It goes away by itself: no more placements. */
  | Readonly<{ kind: "leaving" }>
  | Readonly<{ kind: "cache_changes"; changes: CacheChanges }>
  | Readonly<{ kind: "cache_snapshot"; part: CacheSnapshotPart }>;

export function workerReportToWire(report: WorkerReport): Message {
  const message = create(WorkerReportSchema);
  message.report = reportToWire(report);
  return message;
}

function reportToWire(report: WorkerReport): Message["report"] {
  switch (report.kind) {
    case "hello":
      return { case: "hello", value: joinHelloToWire(report.hello) };
    case "status":
      return { case: "status", value: workerStatusToWire(report.status) };
    case "loaded":
      return { case: "loaded", value: create(ExpertsLoadedSchema, { layers: layerExpertsToWire(report.experts) }) };
    case "leaving":
      return { case: "leaving", value: create(LeavingSchema) };
    case "cache_changes":
      return { case: "cacheChanges", value: cacheChangesToWire(report.changes) };
    case "cache_snapshot":
      return { case: "cacheSnapshot", value: cacheSnapshotPartToWire(report.part) };
    default:
      return assertNever(report);
  }
}

/** Errors: `invalid_argument`, naming the field, also for a report that only later builds know: a worker is refused that is misread. */
export function workerReportFromWire({ report }: Message): WorkerReport {
  switch (report.case) {
    case "hello":
      return { kind: "hello", hello: joinHelloFromWire(report.value) };
    case "status":
      return { kind: "status", status: workerStatusFromWire(report.value) };
    case "loaded":
      return { kind: "loaded", experts: layerExpertsFromWire(report.value.layers, "loaded.layers") };
    case "leaving":
      return { kind: "leaving" };
    case "cacheChanges":
      return { kind: "cache_changes", changes: cacheChangesFromWire(report.value) };
    case "cacheSnapshot":
      return { kind: "cache_snapshot", part: cacheSnapshotPartFromWire(report.value) };
    case undefined:
      throw wireFault("report", "is empty, or one that this build does not know");
    default:
      return assertNever(report);
  }
}
