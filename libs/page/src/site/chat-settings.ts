/** What the side panel says, as it was typed. Empty fields are left to the server. */
export type SettingsText = Readonly<{
  system: string;
  temperature: string;
  topP: string;
  maxTokens: string;
  seed: string;
  schema: string;
}>;

export const NO_SETTINGS: SettingsText = { system: "", temperature: "", topP: "", maxTokens: "", seed: "", schema: "" };

/** Settings that can be sent. */
export type ChatSettings = Readonly<{ system: string; sampling: () => Record<string, unknown> }>;

/** Reads what was typed; `problem` names the field that cannot be sent. Whether a number is in its range is the server's to say. */
export function readSettings(text: SettingsText): ChatSettings | Readonly<{ problem: string }> {
  const fields: Record<string, unknown> = {};
  const numbers = { temperature: text.temperature, top_p: text.topP, max_tokens: text.maxTokens, seed: text.seed };
  for (const [name, typed] of Object.entries(numbers)) {
    if (typed.trim() === "") continue;
    const value = Number(typed);
    if (Number.isNaN(value)) return { problem: `${name} is no number` };
    fields[name] = value;
  }
  if (text.schema.trim() !== "") {
    try {
      const schema: unknown = JSON.parse(text.schema);
      fields.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
    } catch (error) {
      return { problem: `the schema is no JSON: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
  return { system: text.system, sampling: () => fields };
}
