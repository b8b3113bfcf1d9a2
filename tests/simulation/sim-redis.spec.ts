import { SimNetwork, SimWorld } from "@drover/testkit";
import { queueConformance } from "../queue/queue-conformance.ts";
import { SimRedis } from "./sim-redis.ts";
import { RedisLink, SimQueue } from "./sim-redis-link.ts";

/** What a test says of now is past in a world whose time passes at its own pace. */
const AHEAD_MS = 5000;

/** The laws that the queues in Redis and in the scheduler obey, for what stands for Redis in a simulated world, whose time passes by itself here. */
queueConformance("a simulated Redis", async () => {
  const world = new SimWorld({ seed: 1, startMs: Date.now() + AHEAD_MS });
  const network = new SimNetwork(world, { leastMs: 0.1, mostMs: 0.2 });
  const process = world.process("redis");
  const redis = new SimRedis(process);
  const place = () => ({ process, redis });
  const queueOf = (name: string) => {
    const own = world.process(name);
    return new SimQueue(new RedisLink(network, own, place), own, place);
  };
  const producer = queueOf("router");
  const consumer = queueOf("scheduler");
  let isOpen = true;
  const pass = async () => {
    while (isOpen) await world.run(world.nowMs + 1);
  };
  await world.run(5);
  void pass();
  const close = async () => {
    isOpen = false;
  };
  return { producer, consumer, payloads: producer, close };
});
