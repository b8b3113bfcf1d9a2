/**
 * An encoder that remembers what it wrote of a value, as long as the value is there. For values that do not change and go to many peers: a
 * scheduler tells every router and every worker the same.
 */
export function writtenOnce<Value extends object, Message>(
  write: (value: Value) => Message,
): (value: Value) => Message {
  const written = new WeakMap<Value, { message: Message }>();
  return (value) => {
    const known = written.get(value);
    if (known !== undefined) return known.message;
    const message = write(value);
    written.set(value, { message });
    return message;
  };
}
