/** What the side panel says, as it was typed. Empty fields are left to the server. */

export const NO_SETTINGS               = { system: "", temperature: "", topP: "", maxTokens: "", seed: "", schema: "" };

/** Settings that can be sent. */

/** Reads what was typed; `problem` names the field that cannot be sent. Whether a number is in its range is the server's to say. */
export function readSettings(text              )                                               {
  const fields                          = {};
  const numbers = { temperature: text.temperature, top_p: text.topP, max_tokens: text.maxTokens, seed: text.seed };
  for (const [name, typed] of Object.entries(numbers)) {
    if (typed.trim() === "") continue;
    const value = Number(typed);
    if (Number.isNaN(value)) return { problem: `${name} is no number` };
    fields[name] = value;
  }
  if (text.schema.trim() !== "") {
    try {
      const schema          = JSON.parse(text.schema);
      fields.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
    } catch (error) {
      return { problem: `the schema is no JSON: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
  return { system: text.system, sampling: () => fields };
}
