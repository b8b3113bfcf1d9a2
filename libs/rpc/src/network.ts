import type { SharedMemory } from "@drover/shared-memory";
import { RpcClient } from "./client.ts";

/** How a process reaches its peers. A test stands for the network by another one. */
export interface Network {
  /** A connection to a peer, made when the first call needs it; whoever asked for it disposes it. */
  dial(address: string): RpcClient;
  /** Draws from [0, 1): what each wait between two tries is cut by. */
  chance(): number;
  /** What processes of one host have memory together by; absent: all that they say to each other goes over connections. */
  readonly memory?: () => Promise<SharedMemory>;
}

/** gRPC, and real chance. */
export const grpcNetwork: Network = { dial: (address) => new RpcClient(address), chance: Math.random };
