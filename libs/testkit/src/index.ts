export { BYTE_BOS, BYTE_EOS, byteTokenizer } from "./byte-tokenizer.ts";
export { type ClusterFacts, clusterStateOf, type WorkerFacts, workerStateOf } from "./cluster-states.ts";
export {
  drain,
  greedyTask,
  type LocalEngine,
  type LocalEngineOptions,
  openLocalEngine,
  type StepFacts,
} from "./local-engine.ts";
export { RecordingLogger } from "./recording-logger.ts";
export { seededRandom } from "./seeded-random.ts";
export { SimClock, settled } from "./sim-clock.ts";
export { type ProxyMode, TcpProxy } from "./tcp-proxy.ts";
export { freePort, redisBinary, TestRedis } from "./test-redis.ts";
export { tinyModel } from "./tiny-model.ts";
