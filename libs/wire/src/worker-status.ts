import { create } from "@bufbuild/protobuf";
import { workerId as idOf, type KvUse, NO_COSTS, type StepCosts } from "@drover/core";
import type { PrefixCounts, WorkerStatus } from "@drover/fleet";
import {
  CardBytesSchema,
  type CardBytes as CardMessage,
  type KvBytes,
  KvBytesSchema,
  type WorkerStatus as Message,
  PrefixCountsSchema,
  type PrefixCounts as PrefixMessage,
  type StepCosts as StepCostsMessage,
  WorkerStatusSchema,
} from "@drover/proto";
import { PENDING_PROMPTS_MAX, SLOW_PEERS_MAX } from "./limits.ts";
import { numberFromWire } from "./numbers.ts";

type Card = NonNullable<WorkerStatus["card"]>;

const CARD_USES = ["weights", "kv", "activations", "exchange", "unused", "other", "free"] as const;

export function workerStatusToWire(status: WorkerStatus): Message {
  const {
    globalKv,
    localKv,
    striping,
    costs,
    prefix,
    pendingPromptMs,
    hottest,
    expertRows,
    slowPeers,
    card,
    frames,
    ...same
  } = status;
  return create(WorkerStatusSchema, {
    ...same,
    waitingTokenCount: BigInt(status.waitingTokenCount),
    contextTokensMax: BigInt(status.contextTokensMax),
    kvBytesUsed: BigInt(status.kvBytesUsed),
    kvBytesMax: BigInt(status.kvBytesMax),
    kvBytesPerToken: BigInt(status.kvBytesPerToken),
    kvBytesFixed: BigInt(status.kvBytesFixed),
    ...(globalKv && { globalKv: kvUseToWire(globalKv) }),
    ...(localKv && { localKv: kvUseToWire(localKv) }),
    stripeAboveTokens: BigInt(striping?.aboveTokens ?? 0),
    stripedTokensKept: BigInt(striping?.keptTokens ?? 0),
    costs: { ...costs },
    pendingPromptMs: [...pendingPromptMs],
    progress: BigInt(status.progress),
    sentAtMs: BigInt(status.sentAtMs),
    prefix: prefixCountsToWire(prefix),
    generatedTokenCount: BigInt(status.generatedTokenCount),
    expertRowCount: BigInt(status.expertRowCount),
    hottest: hottest.map((expert) => ({ ...expert, rowCount: BigInt(expert.rowCount) })),
    slowPeers: slowPeers.map(({ workerId, slowness, isSilent }) => ({ workerId, slowness, silent: isSilent })),
    expertRows: [...expertRows].map(([layer, rows]) => ({ layer, rows: rows.map(BigInt) })),
    ...(card && { card: cardToWire(card) }),
    sharedMemoryFrameCount: BigInt(frames.sharedMemory),
    grpcFrameCount: BigInt(frames.grpc),
  });
}

/** Errors: `invalid_argument`, naming the field, for a count that is no number here. */
export function workerStatusFromWire(message: Message): WorkerStatus {
  const { ready, draining, runningCount, waitingCount, globalKv, localKv, prefix } = message;
  return {
    ready,
    draining,
    runningCount,
    waitingCount,
    waitingTokenCount: numberFromWire(message.waitingTokenCount, "waiting_token_count"),
    contextTokensMax: numberFromWire(message.contextTokensMax, "context_tokens_max"),
    kvBytesUsed: numberFromWire(message.kvBytesUsed, "kv_bytes_used"),
    kvBytesMax: numberFromWire(message.kvBytesMax, "kv_bytes_max"),
    kvBytesPerToken: numberFromWire(message.kvBytesPerToken, "kv_bytes_per_token"),
    kvBytesFixed: numberFromWire(message.kvBytesFixed, "kv_bytes_fixed"),
    globalKv: globalKv && kvUseFromWire(globalKv, "global_kv"),
    localKv: localKv && kvUseFromWire(localKv, "local_kv"),
    striping: stripingFromWire(message),
    costs: message.costs === undefined ? NO_COSTS : costsFromWire(message.costs),
    pendingPromptMs: message.pendingPromptMs.slice(0, PENDING_PROMPTS_MAX).map(milliseconds),
    progress: numberFromWire(message.progress, "progress"),
    sentAtMs: numberFromWire(message.sentAtMs, "sent_at_ms"),
    prefix: prefixCountsFromWire(prefix, "prefix"),
    generatedTokenCount: numberFromWire(message.generatedTokenCount, "generated_token_count"),
    expertRowCount: numberFromWire(message.expertRowCount, "expert_row_count"),
    hottest: message.hottest.map(({ layer, expert, rowCount }) => ({
      layer,
      expert,
      rowCount: numberFromWire(rowCount, "hottest.row_count"),
    })),
    slowPeers: message.slowPeers.slice(0, SLOW_PEERS_MAX).map((peer) => ({
      workerId: idOf(peer.workerId),
      slowness: Number.isFinite(peer.slowness) ? Math.max(1, peer.slowness) : 1,
      isSilent: peer.silent,
    })),
    card: message.card && cardFromWire(message.card),
    computedMs: milliseconds(message.computedMs),
    frames: {
      sharedMemory: numberFromWire(message.sharedMemoryFrameCount, "shared_memory_frame_count"),
      grpc: numberFromWire(message.grpcFrameCount, "grpc_frame_count"),
    },
    expertRows: new Map(
      message.expertRows.map(({ layer, rows }) => [
        layer,
        rows.map((count) => numberFromWire(count, "expert_rows.rows")),
      ]),
    ),
  };
}

export function prefixCountsToWire({ promptTokenCount, cachedTokenCount }: PrefixCounts): PrefixMessage {
  return create(PrefixCountsSchema, {
    promptTokenCount: BigInt(promptTokenCount),
    cachedTokenCount: BigInt(cachedTokenCount),
  });
}

/** A message that is missing counts nothing. */
export function prefixCountsFromWire(message: PrefixMessage | undefined, field: string): PrefixCounts {
  if (message === undefined) return { promptTokenCount: 0, cachedTokenCount: 0 };
  return {
    promptTokenCount: numberFromWire(message.promptTokenCount, field),
    cachedTokenCount: numberFromWire(message.cachedTokenCount, field),
  };
}

function cardToWire(card: Card): CardMessage {
  const bytes = Object.fromEntries(CARD_USES.map((use) => [use, BigInt(card[use])]));
  return create(CardBytesSchema, { device: card.device, ...bytes });
}

function cardFromWire(message: CardMessage): Card {
  const bytes = (use: (typeof CARD_USES)[number]) => numberFromWire(message[use], `card.${use}`);
  return {
    device: message.device,
    ...{ weights: bytes("weights"), kv: bytes("kv"), activations: bytes("activations"), exchange: bytes("exchange") },
    ...{ unused: bytes("unused"), other: bytes("other"), free: bytes("free") },
  };
}

function stripingFromWire({ stripeAboveTokens, stripedTokensKept }: Message): WorkerStatus["striping"] {
  if (stripeAboveTokens === 0n) return undefined;
  return {
    aboveTokens: numberFromWire(stripeAboveTokens, "stripe_above_tokens"),
    keptTokens: numberFromWire(stripedTokensKept, "striped_tokens_kept"),
  };
}

function kvUseToWire({ referenced, cached }: KvUse): KvBytes {
  return create(KvBytesSchema, { referenced: BigInt(referenced), cached: BigInt(cached) });
}

function kvUseFromWire({ referenced, cached }: KvBytes, field: string): KvUse {
  return { referenced: numberFromWire(referenced, field), cached: numberFromWire(cached, field) };
}

function costsFromWire({ promptRowMs, contextTokenMs, decodeMs, decodeRowMs, stepMsMax }: StepCostsMessage): StepCosts {
  return {
    promptRowMs: milliseconds(promptRowMs),
    contextTokenMs: milliseconds(contextTokenMs),
    decodeMs: milliseconds(decodeMs),
    decodeRowMs: milliseconds(decodeRowMs),
    stepMsMax: milliseconds(stepMsMax),
  };
}

/** A prediction that is no time counts as none: a worker that predicts badly still serves. */
const milliseconds = (value: number): number => (Number.isFinite(value) ? Math.max(0, value) : 0);
