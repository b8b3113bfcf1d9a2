import type { ExpertExchange } from "@drover/core";
import type { ExtentStore } from "../kv/extent-store.ts";
import type { SessionOptions } from "../session.ts";

/** How a text model is loaded, and what it computes with. */
export type TextModelOptions = SessionOptions &
  Readonly<{
    /** Where the rows of the sequences are that it computes. */
    storage: ExtentStore;
    /** Where the routed experts' rows are computed. */
    exchange: ExpertExchange;
    /** Whether experts answer from other processes: the shared expert then runs while they do. Else it is part of the gate's run. Default true. */
    remoteExperts?: boolean;
    onLayer?: (done: number, total: number) => void;
  }>;
