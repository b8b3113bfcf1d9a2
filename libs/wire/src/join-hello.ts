import { create } from "@bufbuild/protobuf";
import { modelId, workerId } from "@drover/core";
import type { ServedCheckpoint, WorkerProfile } from "@drover/fleet";
import { JoinHelloSchema, type JoinHello as Message } from "@drover/proto";
import { kvDtypeFromWire } from "./kv-dtype.ts";
import { numberFromWire } from "./numbers.ts";
import { wireFault } from "./wire-fault.ts";
import { workerRolesFromWire, workerRolesToWire } from "./worker-role.ts";

/** How a worker introduces itself to a scheduler: who it is, and what checkpoint it serves. */
export type JoinHello = Readonly<{ profile: WorkerProfile; checkpoint: ServedCheckpoint }>;

export function joinHelloToWire({ profile, checkpoint }: JoinHello): Message {
  const { roles, expertCountMax = 0, expertParameters = 0, kvDtype = "", ...names } = profile;
  const { fingerprint, moeLayers, expertCount, chunkTokens } = checkpoint;
  return create(JoinHelloSchema, {
    ...names,
    roles: workerRolesToWire(roles),
    expertCountMax,
    expertParameters: BigInt(expertParameters),
    kvDtype,
    modelFingerprint: fingerprint,
    moeLayers: [...moeLayers],
    expertCount,
    chunkTokens,
  });
}

/** Errors: `invalid_argument`, naming the field. */
export function joinHelloFromWire(message: Message): JoinHello {
  const roles = workerRolesFromWire(message.roles, "roles");
  if (roles.length === 0) throw wireFault("roles", "is empty; a worker has a role");
  if (message.incarnation === "") throw wireFault("incarnation", "is empty; a worker names its life");
  if (message.address === "") throw wireFault("address", "is empty; a worker says where it is reached");
  const { expertCountMax, moeLayers, expertCount, chunkTokens } = message;
  const kvDtype = kvDtypeFromWire(message.kvDtype, "kv_dtype");
  const expertParameters = numberFromWire(message.expertParameters, "expert_parameters");
  return {
    profile: {
      workerId: workerId(message.workerId),
      incarnation: message.incarnation,
      modelId: modelId(message.modelId),
      roles,
      address: message.address,
      adminAddress: message.adminAddress,
      ...(expertCountMax > 0 && { expertCountMax }),
      ...(expertParameters > 0 && { expertParameters }),
      ...(kvDtype !== undefined && { kvDtype }),
    },
    checkpoint: { fingerprint: message.modelFingerprint, moeLayers, expertCount, chunkTokens },
  };
}
