import type { KvDtype } from "@drover/core";
import type { HashSeed } from "@drover/kv";
import type { StripeOptions } from "../kv/context-stripes.ts";
import type { SessionOptions } from "../session.ts";

/** How a text model is loaded, and what its KV may take. */
export type TextModelOptions = SessionOptions &
  Readonly<{
    kvBytesMax: number;
    /** What keys and values are kept as. Default f32. */
    kvDtype?: KvDtype;
    /** Whether the rows of sequences that have ended may serve others. Default true. */
    prefixCache?: boolean;
    /** What the chains that routers send begin with. Default: of a model that nobody else serves. */
    hashSeed?: HashSeed;
    /** Where the old rows of long sequences go; absent: nowhere. */
    stripes?: StripeOptions;
    /** Whether experts answer from other processes: the shared expert then runs while they do. Else it is part of the gate's run. Default true. */
    remoteExperts?: boolean;
    onLayer?: (done: number, total: number) => void;
  }>;
