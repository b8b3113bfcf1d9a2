import { DroverError, type ModelId } from "@drover/core";
import type { Member, ServedCheckpoint, WorkerProfile } from "@drover/fleet";
import type { JoinHello } from "@drover/wire";

/** Which workers may serve together: the first one says of what checkpoint they are. */
export class Agreement {
  readonly #modelId: ModelId;
  #checkpoint: ServedCheckpoint | undefined;

  constructor(modelId: ModelId) {
    this.#modelId = modelId;
  }

  /** Undefined before the first worker. */
  get checkpoint(): ServedCheckpoint | undefined {
    return this.#checkpoint;
  }

  /** Whether the worker has brought another checkpoint than the last one. Errors: `invalid_argument`, naming the field in which it differs. */
  check({ profile, checkpoint }: JoinHello, members: readonly Member[]): boolean {
    if (profile.modelId !== this.#modelId) {
      const message = `model ${profile.modelId}, the scheduler serves ${this.#modelId}`;
      throw new DroverError("invalid_argument", message, { field: "model_id" });
    }
    checkKv(profile, members);
    if (this.#checkpoint !== undefined && JSON.stringify(this.#checkpoint) === JSON.stringify(checkpoint)) return false;
    // While nobody is here, another checkpoint may take the place of the last one.
    if (members.length > 0) {
      const message = "the worker's checkpoint is not the one that the other workers serve";
      throw new DroverError("invalid_argument", message, { field: "model_fingerprint" });
    }
    this.#checkpoint = checkpoint;
    return true;
  }
}

/** Rows go between workers as they are kept, and a request that is moved goes on with other rows. */
function checkKv({ kvDtype, workerId }: WorkerProfile, members: readonly Member[]): void {
  if (kvDtype === undefined) return;
  for (const { profile } of members) {
    if (profile.kvDtype === undefined || profile.kvDtype === kvDtype || profile.workerId === workerId) continue;
    const message = `the worker keeps KV as ${kvDtype}, the others keep it as ${profile.kvDtype}`;
    throw new DroverError("invalid_argument", message, { field: "kv_dtype" });
  }
}
