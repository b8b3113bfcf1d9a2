import { DroverError, type ModelId } from "@drover/core";
import type { Member } from "@drover/fleet";
import type { JoinHello } from "@drover/proto";

/** What all workers must agree on. */
export type Pin = Readonly<{
  fingerprint: string;
  layers: readonly number[];
  expertCount: number;
  chunkTokens: number;
}>;

export type AgreementOptions = Readonly<{
  modelId: ModelId;
  /** What a member keeps KV as; empty where it keeps none. */
  kvDtype: (member: Member) => string;
}>;

/** Which workers may serve together: the first one says of what checkpoint they are. */
export class Agreement {
  readonly #options: AgreementOptions;
  #pin: Pin | undefined;

  constructor(options: AgreementOptions) {
    this.#options = options;
  }

  /** Undefined before the first worker. */
  get pin(): Pin | undefined {
    return this.#pin;
  }

  /** Whether the worker has brought another pin than the last one. Errors: `invalid_argument`, naming the field in which it differs. */
  check(hello: JoinHello, members: readonly Member[]): boolean {
    const { modelId } = this.#options;
    if (hello.modelId !== modelId) {
      const message = `model ${hello.modelId}, the scheduler serves ${modelId}`;
      throw new DroverError("invalid_argument", message, { field: "model_id" });
    }
    this.#checkKv(hello, members);
    const { modelFingerprint: fingerprint, moeLayers: layers, expertCount, chunkTokens } = hello;
    const pin = { fingerprint, layers, expertCount, chunkTokens };
    if (this.#pin !== undefined && JSON.stringify(this.#pin) === JSON.stringify(pin)) return false;
    // While nobody is here, another checkpoint may take the place of the last one.
    if (members.length > 0) {
      const message = "the worker's checkpoint is not the one that the other workers serve";
      throw new DroverError("invalid_argument", message, { field: "model_fingerprint" });
    }
    this.#pin = pin;
    return true;
  }

  /** Rows go between workers as they are kept, and a request that is moved goes on with other rows. */
  #checkKv({ kvDtype, workerId }: JoinHello, members: readonly Member[]): void {
    if (kvDtype === "") return;
    for (const member of members) {
      const kept = this.#options.kvDtype(member);
      if (kept === "" || kept === kvDtype || member.profile.workerId === workerId) continue;
      const message = `the worker keeps KV as ${kvDtype}, the others keep it as ${kept}`;
      throw new DroverError("invalid_argument", message, { field: "kv_dtype" });
    }
  }
}
