import { DroverError } from "@drover/core";

/** Fields of a request that `/set` may give a value, and what they take. */
const SETTINGS = {
  temperature: "number",
  top_p: "number",
  top_k: "number",
  min_p: "number",
  max_tokens: "number",
  seed: "number",
  repetition_penalty: "number",
  presence_penalty: "number",
  frequency_penalty: "number",
  stop: "text",
} as const;

export const SETTING_NAMES: readonly string[] = Object.keys(SETTINGS);

/** What is asked of every answer besides the messages; the server's own settings where it is silent. */
export class ChatSettings {
  readonly #values = new Map<string, number | string>();

  /** The fields as a request has them. */
  get fields(): Readonly<Record<string, number | string>> {
    return Object.fromEntries(this.#values);
  }

  /** Sets a field, or without a value gives it back to the server. Errors: `invalid_argument` for a name or value that is none. */
  set(name: string, value: string): void {
    if (!Object.hasOwn(SETTINGS, name))
      throw new DroverError("invalid_argument", `there is no setting ${name}; there are ${SETTING_NAMES.join(", ")}`);
    if (value === "") this.#values.delete(name);
    else if (SETTINGS[name as keyof typeof SETTINGS] === "text") this.#values.set(name, value);
    else if (Number.isFinite(Number(value))) this.#values.set(name, Number(value));
    else throw new DroverError("invalid_argument", `${name} takes a number, and ${value} is none`);
  }
}
