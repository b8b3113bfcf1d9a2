/** The numbered events of a stream's text. */
export const eventsOf = (text: string) => text.split(/(?<=\n\n)/).filter((event) => event.startsWith("id: "));

/** What a client sends as `Last-Event-ID` behind this event. */
export const idOf = (event: string | undefined) => /^id: (\S+)/.exec(event ?? "")?.[1];

/** An answer without what is another's in each: ids of requests, times. */
export const plain = (text: string) =>
  text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "ID")
    .replaceAll(/[0-9a-f]{24}/g, "ID")
    .replaceAll(/"created(_at)?":\d+/g, "CREATED");

/** Waits for what other turns of the event loop bring. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
