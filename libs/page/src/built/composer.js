import { h } from "preact";
import { useRef, useState } from "preact/hooks";
import {                  readAttachment } from "./attachments.js";

/** Where a question is written. Enter sends it, Shift and Enter begin a line, Escape stops the answer. */
export function Composer({ isBusy, canSend, onSend, onStop }               ) {
  const [text, setText] = useState("");
  const [attachments, setAttachments] = useState                       ([]);
  const [problem, setProblem] = useState("");
  const isEmpty = text.trim() === "" && attachments.length === 0;

  const attach = async (files                ) => {
    setProblem("");
    for (const file of files) {
      try {
        const attachment = await readAttachment(file);
        setAttachments((all) => [...all, attachment]);
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const send = (event        ) => {
    event?.preventDefault();
    if (isBusy || !canSend || isEmpty) return;
    onSend(text, attachments);
    setText("");
    setAttachments([]);
  };
  const onKeyDown = (event               ) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
    if (event.key === "Escape" && isBusy) onStop();
  };
  const take = (event                            , files                      ) => {
    if (files === undefined || files.length === 0) return;
    event.preventDefault();
    void attach([...files]);
  };
  return h(
    "form",
    {
      class: "composer",
      onSubmit: send,
      onDragOver: (event           ) => event.preventDefault(),
      onDrop: (event           ) => take(event, event.dataTransfer?.files),
    },
    h(AttachmentList, { attachments, onRemove: (at) => setAttachments(attachments.filter((_, i) => i !== at)) }),
    problem === "" ? null : h("p", { class: "problem", role: "alert" }, problem),
    h("label", { for: "question", class: "unseen" }, "Question"),
    h("textarea", {
      ...{ id: "question", rows: 3, placeholder: "Question", value: text, onKeyDown },
      onInput: (event       ) => setText((event.target                       ).value),
      onPaste: (event                ) => take(event, event.clipboardData?.files),
    }),
    h(Buttons, { isBusy, isSendable: canSend && !isEmpty, onFiles: (files) => void attach(files), onStop }),
  );
}

function Buttons({ isBusy, isSendable, onFiles, onStop }              ) {
  const chooser = useRef                  (null);
  const onChange = (event       ) => {
    const input = event.target                    ;
    onFiles([...(input.files ?? [])]);
    // The same file may be chosen again.
    input.value = "";
  };
  return h(
    "div",
    { class: "buttons" },
    h("input", {
      ...{ ref: chooser, type: "file", multiple: true, class: "unseen", tabIndex: -1, "aria-hidden": true, onChange },
    }),
    h("button", { type: "button", onClick: () => chooser.current?.click() }, "Attach"),
    isBusy
      ? h("button", { type: "button", class: "main", onClick: onStop }, "Stop")
      : h("button", { type: "submit", class: "main", disabled: !isSendable }, "Send"),
  );
}

function AttachmentList({ attachments, onRemove }                     ) {
  if (attachments.length === 0) return null;
  return h(
    "ul",
    { class: "attachments", "aria-label": "Attached" },
    attachments.map(({ name, url }, i) =>
      h(
        "li",
        {},
        url === undefined ? null : h("img", { src: url, alt: "", class: "thumb" }),
        name,
        h(
          "button",
          { type: "button", class: "plain", "aria-label": `Remove ${name}`, onClick: () => onRemove(i) },
          "×",
        ),
      ),
    ),
  );
}
