import { create } from "@bufbuild/protobuf";
import { DroverError, modelId, workerId } from "@drover/core";
import type {
  ActiveExperts,
  ExpertOrder,
  LoadedExperts,
  Member,
  Role,
  WorkerProfile,
  WorkerStatus,
} from "@drover/fleet";
import {
  type ExpertMap,
  ExpertMapSchema,
  type ExpertsLoaded,
  type JoinHello,
  type SetExperts,
  SetExpertsSchema,
  type WorkerStatus as WireStatus,
  WorkerRole,
} from "@drover/proto";

/** Of one worker's prompts: the worker adds up what are more. */
const PENDING_PROMPTS_MAX = 64;

const ROLE_OF: Partial<Record<WorkerRole, Role>> = {
  [WorkerRole.ATTENTION]: "attention",
  [WorkerRole.EXPERTS]: "experts",
  [WorkerRole.CONTEXT]: "context",
  [WorkerRole.VISION]: "vision",
};

const WIRE_ROLE_OF: Record<Role, WorkerRole> = {
  attention: WorkerRole.ATTENTION,
  experts: WorkerRole.EXPERTS,
  context: WorkerRole.CONTEXT,
  vision: WorkerRole.VISION,
};

/** Errors: `invalid_argument`, naming the field. */
export function profileFromHello(hello: JoinHello): WorkerProfile {
  const roles = hello.roles.map((role) => {
    const known = ROLE_OF[role];
    if (known === undefined) {
      throw new DroverError("invalid_argument", `${role} is not a known role`, { field: "roles" });
    }
    return known;
  });
  if (roles.length === 0) throw new DroverError("invalid_argument", "a worker has a role", { field: "roles" });
  if (hello.incarnation === "") {
    throw new DroverError("invalid_argument", "a worker names its incarnation", { field: "incarnation" });
  }
  if (hello.address === "") {
    throw new DroverError("invalid_argument", "a worker says where it is reached", { field: "address" });
  }
  return {
    workerId: workerId(hello.workerId),
    incarnation: hello.incarnation,
    modelId: modelId(hello.modelId),
    roles,
    address: hello.address,
    adminAddress: hello.adminAddress,
    ...(hello.expertCountMax > 0 && { expertCountMax: hello.expertCountMax }),
  };
}

export const rolesToWire = (roles: readonly Role[]): WorkerRole[] => roles.map((role) => WIRE_ROLE_OF[role]);

export function statusFromWire(status: WireStatus): WorkerStatus {
  return {
    ready: status.ready,
    draining: status.draining,
    kvBytesUsed: Number(status.kvBytesUsed),
    kvBytesMax: Number(status.kvBytesMax),
    kvBytesPerToken: Number(status.kvBytesPerToken),
    kvBytesFixed: Number(status.kvBytesFixed),
    striping:
      status.stripeAboveTokens === 0n
        ? undefined
        : { aboveTokens: Number(status.stripeAboveTokens), keptTokens: Number(status.stripedTokensKept) },
    runningCount: status.runningCount,
    waitingCount: status.waitingCount,
    waitingTokenCount: Number(status.waitingTokenCount),
    contextTokensMax: Number(status.contextTokensMax),
    kvBytesCached: Number((status.globalKv?.cached ?? 0n) + (status.localKv?.cached ?? 0n)),
    costs: {
      promptRowMs: atLeastZero(status.costs?.promptRowMs),
      contextTokenMs: atLeastZero(status.costs?.contextTokenMs),
      decodeMs: atLeastZero(status.costs?.decodeMs),
      decodeRowMs: atLeastZero(status.costs?.decodeRowMs),
      stepMsMax: atLeastZero(status.costs?.stepMsMax),
    },
    pendingPromptMs: status.pendingPromptMs.slice(0, PENDING_PROMPTS_MAX).map(atLeastZero),
  };
}

/** A prediction that is no number counts as none. */
const atLeastZero = (value: number | undefined): number =>
  value !== undefined && Number.isFinite(value) ? Math.max(0, value) : 0;

export function loadedFromWire(loaded: ExpertsLoaded): LoadedExperts {
  return new Map(loaded.layers.map(({ layer, experts }) => [layer, new Set(experts)]));
}

export function orderToWire(order: ExpertOrder, epoch: bigint): SetExperts {
  return create(SetExpertsSchema, {
    mapEpoch: epoch,
    layers: [...order].map(([layer, experts]) => ({ layer, experts: [...experts] })),
  });
}

/** Holders are named once and pointed to by index: a map of many experts stays small. */
export function mapToWire(
  modelId: string,
  epoch: bigint,
  active: ActiveExperts,
  complete: boolean,
  members: readonly Member[],
): ExpertMap {
  const named = new Set([...active.values()].flat(2));
  const holders = members.map((member) => member.profile).filter((profile) => named.has(profile.workerId));
  const indexOf = new Map(holders.map((profile, index) => [profile.workerId, index]));
  return create(ExpertMapSchema, {
    modelId,
    epoch,
    complete,
    holders: holders.map(({ workerId, incarnation, address }) => ({ workerId, incarnation, address })),
    layers: [...active].map(([layer, experts]) => ({
      layer,
      experts: experts.map((ids) => ({ holders: ids.flatMap((id) => indexOf.get(id) ?? []) })),
    })),
  });
}
