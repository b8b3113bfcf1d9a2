// Time, chance and logs that a test commands or reads.

export { seededRandom } from "@drover/core";
export { PATIENCE_MS } from "./patience.ts";
export { RecordingLogger } from "./recording-logger.ts";
export { SimClock, settled } from "./sim-clock.ts";

// Many processes in one simulated time, and the network between them.

export { type End, SimConnection } from "./simulation/sim-connection.ts";
export { SimNetwork } from "./simulation/sim-network.ts";
export { SimProcess } from "./simulation/sim-process.ts";
export { SimServer } from "./simulation/sim-server.ts";
export { SimWorld } from "./simulation/sim-world.ts";

// A real engine on a real model, in the test's own process.

export { BYTE_BOS, BYTE_EOS, byteTokenizer } from "./byte-tokenizer.ts";
export {
  drain,
  greedyTask,
  type LocalEngine,
  type LocalEngineOptions,
  type MeasuredStep,
  openLocalEngine,
} from "./local-engine.ts";
export { tinyModel } from "./tiny-model.ts";

// A cluster as a scheduler tells of it.

export { type ClusterFacts, clusterStateOf, type WorkerFacts, workerStateOf } from "./cluster-states.ts";

// Who calls what is between processes, without being one of them.

export { internalServices, type Knock, knock } from "./stranger.ts";

// A real Redis, and a connection that breaks when it is told to.

export { type ProxyMode, TcpProxy } from "./tcp-proxy.ts";
export { freePort, redisBinary, speaksTls, TestRedis, TestSentinel } from "./test-redis.ts";
