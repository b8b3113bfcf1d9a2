// One file for each message that travels between Drover's processes. What is written is read back; what cannot be read is a
// DroverError that names the field.

// A worker and the scheduler that leads: one stream between them.

export type { CacheChanges } from "./cache-changes.ts";
export type { CacheSnapshotPart } from "./cache-snapshot.ts";
export { type JoinHello, joinHelloToWire } from "./join-hello.ts";
export { type WorkerOrder, workerOrderFromWire, workerOrderToWire } from "./worker-order.ts";
export { type WorkerReport, workerReportFromWire, workerReportToWire } from "./worker-report.ts";

// What routers and people get to know of the cluster, and what they ask of it.

export { ClusterStateReader, ClusterStateWriter, clusterStateFromWire, clusterStateToWire } from "./cluster-state.ts";
export { drainReplyFromWire, drainReplyToWire, drainRequestFromWire, drainRequestToWire } from "./drain.ts";
export { explainReplyFromWire, explainReplyToWire } from "./placement-record.ts";
export { type WatchRequest, watchRequestFromWire, watchRequestToWire } from "./watch-request.ts";

// A request on its way in: queued, and handed to a worker.

export { generationRequestFromWire, generationRequestToWire } from "./generation-request.ts";
export {
  type PlaceRefusal,
  type PlaceRequest,
  placeReplyFromWire,
  placeReplyToWire,
  placeRequestFromWire,
  placeRequestToWire,
} from "./place.ts";
export {
  addJobsFromWire,
  addJobsToWire,
  cancelJobsFromWire,
  cancelJobsToWire,
  getPayloadReplyFromWire,
  getPayloadReplyToWire,
  putPayloadFromWire,
  putPayloadToWire,
} from "./queue-calls.ts";
export { queueJobFromWire, queueJobToWire } from "./queue-job.ts";

// Its tokens on their way out: one stream between a router and an attention worker.

export { stepFromWire, stepToWire } from "./kept-step.ts";
export { requestEventFromWire, requestEventToWire } from "./request-event.ts";
export { type RouterMessage, routerMessageFromWire, routerMessageToWire } from "./router-message.ts";
export { TokenColumnsReader, TokenColumnsWriter } from "./token-columns.ts";
export { type WorkerMessage, workerMessageFromWire, workerMessageToWire } from "./worker-message.ts";

// An image's tiles on their way to a vision worker, and its features from there.

export {
  type Encoded,
  encodedFromWire,
  encodedToWire,
  type FeaturesFrame,
  featuresFrameFromWire,
  featuresFrameToWire,
  featuresRequestFromWire,
  featuresRequestToWire,
  probeFromWire,
  probeReplyFromWire,
  probeReplyToWire,
  probeToWire,
  type TilesFrame,
  type TilesHead,
  tilesFrameFromWire,
  tilesFrameToWire,
} from "./vision-calls.ts";
