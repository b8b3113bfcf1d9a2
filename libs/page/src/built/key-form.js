import { h } from "preact";
import { useState } from "preact/hooks";

/** Asks for an API key, which the tab keeps until it is closed. */
export function KeyForm({ isWrong, onKey }                                                    ) {
  const [key, setKey] = useState("");
  const submit = (event       ) => {
    event.preventDefault();
    onKey(key.trim());
  };
  return h(
    "form",
    { class: "key", onSubmit: submit },
    h("h2", {}, "An API key is needed"),
    isWrong ? h("p", { role: "alert", class: "problem" }, "That key is not known here.") : null,
    h("label", { for: "key" }, "API key"),
    h("input", {
      id: "key",
      type: "password",
      autocomplete: "off",
      autofocus: true,
      value: key,
      onInput: (event       ) => setKey((event.target                    ).value),
    }),
    h("button", { type: "submit", disabled: key.trim() === "" }, "Use it"),
    h("p", { class: "faint" }, "It stays in this tab, and is forgotten when the tab is closed."),
  );
}
