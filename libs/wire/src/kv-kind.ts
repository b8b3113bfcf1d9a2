import type { KvKind } from "@drover/kv";
import { KvKind as Wire } from "@drover/proto";
import { enumNameFromWire } from "./enum-name.ts";

const VALUES: Readonly<Record<KvKind, Wire>> = { global: Wire.GLOBAL, local: Wire.LOCAL };

export const kvKindToWire = (kind: KvKind): Wire => VALUES[kind];

/** Errors: `invalid_argument` for a kind of layers that this build does not know. */
export const kvKindFromWire = (kind: Wire, field: string): KvKind => enumNameFromWire(VALUES, kind, field);
