import { BoundedMap, type RequestId } from "@drover/core";
import { REQUEST_NAMES_MAX } from "../limits.ts";

/** What clients call their requests (`x-request-id`), for as long as there are not too many newer ones. */
export class RequestNames {
  readonly #idsOf = new BoundedMap<string, readonly RequestId[]>({ entriesMax: REQUEST_NAMES_MAX });
  readonly #nameOf = new BoundedMap<string, string>({ entriesMax: REQUEST_NAMES_MAX });

  /** A request of this name has begun, as a generation for each of its prompts. A later one of the same name takes its place. */
  add(name: string, ids: readonly RequestId[]): void {
    this.#idsOf.set(name, ids);
    for (const id of ids) this.#nameOf.set(id, name);
  }

  /** The generations of a request that is known by its name or by the id of one of them; the text itself where it is neither. */
  idsOf(text: string): readonly string[] {
    return this.#idsOf.get(text) ?? [text];
  }

  nameOf(id: string): string | undefined {
    return this.#nameOf.get(id);
  }
}
