import { h } from "preact";
import { useRef, useState } from "preact/hooks";
import { type Attachment, readAttachment } from "./attachments.ts";

type ComposerProps = {
  isBusy: boolean;
  canSend: boolean;
  onSend: (question: string, attachments: readonly Attachment[]) => void;
  onStop: () => void;
};

/** Where a question is written. Enter sends it, Shift and Enter begin a line, Escape stops the answer. */
export function Composer({ isBusy, canSend, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const [attachments, setAttachments] = useState<readonly Attachment[]>([]);
  const [problem, setProblem] = useState("");
  const isEmpty = text.trim() === "" && attachments.length === 0;

  const attach = async (files: Iterable<File>) => {
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
  const send = (event?: Event) => {
    event?.preventDefault();
    if (isBusy || !canSend || isEmpty) return;
    onSend(text, attachments);
    setText("");
    setAttachments([]);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
    if (event.key === "Escape" && isBusy) onStop();
  };
  const take = (event: DragEvent | ClipboardEvent, files: FileList | undefined) => {
    if (files === undefined || files.length === 0) return;
    event.preventDefault();
    void attach([...files]);
  };
  return h(
    "form",
    {
      class: "composer",
      onSubmit: send,
      onDragOver: (event: DragEvent) => event.preventDefault(),
      onDrop: (event: DragEvent) => take(event, event.dataTransfer?.files),
    },
    h(AttachmentList, { attachments, onRemove: (at) => setAttachments(attachments.filter((_, i) => i !== at)) }),
    problem === "" ? null : h("p", { class: "problem", role: "alert" }, problem),
    h("label", { for: "question", class: "unseen" }, "Question"),
    h("textarea", {
      ...{ id: "question", rows: 3, placeholder: "Question", value: text, onKeyDown },
      onInput: (event: Event) => setText((event.target as HTMLTextAreaElement).value),
      onPaste: (event: ClipboardEvent) => take(event, event.clipboardData?.files),
    }),
    h(Buttons, { isBusy, isSendable: canSend && !isEmpty, onFiles: (files) => void attach(files), onStop }),
  );
}

type ButtonsProps = {
  isBusy: boolean;
  isSendable: boolean;
  onFiles: (files: readonly File[]) => void;
  onStop: () => void;
};

function Buttons({ isBusy, isSendable, onFiles, onStop }: ButtonsProps) {
  const chooser = useRef<HTMLInputElement>(null);
  const onChange = (event: Event) => {
    const input = event.target as HTMLInputElement;
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

type AttachmentListProps = { attachments: readonly Attachment[]; onRemove: (index: number) => void };

function AttachmentList({ attachments, onRemove }: AttachmentListProps) {
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
