import { h } from "preact";
import type { SettingsText } from "./chat-settings.ts";

type SettingsPanelProps = {
  models: readonly string[];
  model: string;
  settings: SettingsText;
  onModel: (model: string) => void;
  onSettings: (settings: SettingsText) => void;
  onClear: (() => void) | undefined;
};

const NUMBERS = [
  ["temperature", "Temperature"],
  ["topP", "Top p"],
  ["maxTokens", "Most tokens"],
  ["seed", "Seed"],
] as const;

/** The model and how it answers; empty fields are the server's own settings. */
export function SettingsPanel({ models, model, settings, onModel, onSettings, onClear }: SettingsPanelProps) {
  const change = (name: keyof SettingsText) => (event: Event) =>
    onSettings({ ...settings, [name]: (event.target as HTMLInputElement).value });
  const area = (name: "system" | "schema", title: string, rows: number) => [
    h("label", { for: name }, title),
    h("textarea", { id: name, rows, value: settings[name], onInput: change(name), spellcheck: name === "system" }),
  ];
  return h(
    "aside",
    { "aria-label": "Settings" },
    h("label", { for: "model" }, "Model"),
    h(
      "select",
      { id: "model", value: model, onChange: (event: Event) => onModel((event.target as HTMLSelectElement).value) },
      models.map((id) => h("option", { value: id }, id)),
    ),
    area("system", "System message", 3),
    h(
      "div",
      { class: "numbers" },
      NUMBERS.map(([name, title]) =>
        h(
          "div",
          {},
          h("label", { for: name }, title),
          h("input", {
            id: name,
            inputMode: "decimal",
            value: settings[name],
            onInput: change(name),
            autocomplete: "off",
          }),
        ),
      ),
    ),
    area("schema", "JSON Schema of the answer", 5),
    h("button", { type: "button", disabled: onClear === undefined, onClick: onClear }, "New conversation"),
  );
}
