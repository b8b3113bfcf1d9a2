import { assert, DroverError } from "@drover/core";
import type { Deployment } from "./deployment.ts";

/** The models of a router, by their names. */
export class Deployments implements Iterable<Deployment> {
  readonly #byName: ReadonlyMap<string, Deployment>;
  readonly #first: Deployment;

  /** Errors: `invalid_argument` for two of one name. */
  constructor(deployments: readonly Deployment[]) {
    const [first] = deployments;
    assert(first !== undefined, "a router serves a model");
    this.#first = first;
    this.#byName = new Map(deployments.map((deployment) => [deployment.modelId, deployment]));
    if (this.#byName.size < deployments.length)
      throw new DroverError("invalid_argument", "two models of one router have one name");
  }

  [Symbol.iterator](): Iterator<Deployment> {
    return this.#byName.values();
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
