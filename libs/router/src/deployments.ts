import { assert, DroverError } from "@drover/core";
import type { Deployment } from "./deployment.ts";

/** The models of a router, by their names. */
export class Deployments implements Iterable<Deployment> {
  readonly #deployments: readonly Deployment[];
  readonly #byName: ReadonlyMap<string, Deployment>;
  readonly #first: Deployment;

  /** Errors: `invalid_argument` for two of one name. */
  constructor(deployments: readonly Deployment[]) {
    const [first] = deployments;
    assert(first !== undefined, "a router serves a model");
    this.#first = first;
    this.#deployments = deployments;
    const named = deployments.flatMap((one) => [one.modelId, ...one.model.aliases].map((name) => [name, one] as const));
    this.#byName = new Map(named);
    if (this.#byName.size < named.length)
      throw new DroverError("invalid_argument", "two names of one router's models are the same");
  }

  [Symbol.iterator](): Iterator<Deployment> {
    return this.#deployments.values();
  }

  /** The model that a request names; else the first one, whose reader refuses every name but its own. */
  reading(name: unknown): Deployment {
    return (typeof name === "string" ? this.#byName.get(name) : undefined) ?? this.#first;
  }

  /** The model of this name, or the first one where none is asked for. Errors: `model_not_found`. */
  named(name: string | undefined): Deployment {
    if (name === undefined) return this.#first;
    const deployment = this.#byName.get(name);
    if (deployment === undefined)
      throw new DroverError("model_not_found", "the model does not exist", { field: "model" });
    return deployment;
  }
}
