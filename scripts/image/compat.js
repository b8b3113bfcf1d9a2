// What Drover's sources use of JavaScript that Node 20 does not have yet. Each is defined only where it is missing, so newer Nodes use
// their own. Plain JavaScript: it is copied into the image as it is, and comes before everything else in each process and thread.
const define = (holder, name, value) => {
  if (!(name in holder)) Object.defineProperty(holder, name, { value, writable: true, configurable: true });
};

define(Promise, "withResolvers", function withResolvers() {
  let resolve;
  let reject;
  const promise = new this((keep, fail) => {
    resolve = keep;
    reject = fail;
  });
  return { promise, resolve, reject };
});

define(Map, "groupBy", (items, keyOf) => {
  const groups = new Map();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
});

define(Object, "groupBy", (items, keyOf) => {
  const groups = Object.create(null);
  for (const [key, group] of Map.groupBy(items, (item, index) => String(keyOf(item, index)))) groups[key] = group;
  return groups;
});

define(Array, "fromAsync", async (source, map = (item) => item) => {
  const items = [];
  let index = 0;
  for await (const item of source) items.push(await map(item, index++));
  return items;
});

define(
  globalThis,
  "SuppressedError",
  class SuppressedError extends Error {
    constructor(error, suppressed, message) {
      super(message);
      this.name = "SuppressedError";
      this.error = error;
      this.suppressed = suppressed;
    }
  },
);

define(
  globalThis,
  "AsyncDisposableStack",
  class AsyncDisposableStack {
    #endings = [];
    #disposed = false;

    get disposed() {
      return this.#disposed;
    }

    use(resource) {
      if (resource === null || resource === undefined) return resource;
      const method = resource[Symbol.asyncDispose] ?? resource[Symbol.dispose];
      if (typeof method !== "function") throw new TypeError("The resource cannot be disposed of.");
      this.defer(() => method.call(resource));
      return resource;
    }

    adopt(resource, end) {
      this.defer(() => end(resource));
      return resource;
    }

    defer(end) {
      if (this.#disposed) throw new ReferenceError("The stack has been disposed of.");
      this.#endings.push(end);
    }

    move() {
      const moved = new AsyncDisposableStack();
      for (const end of this.#endings) moved.defer(end);
      this.#endings = [];
      this.#disposed = true;
      return moved;
    }

    async disposeAsync() {
      if (this.#disposed) return;
      this.#disposed = true;
      let failure;
      for (const end of this.#endings.reverse()) {
        try {
          await end();
        } catch (error) {
          failure = { error: failure === undefined ? error : new globalThis.SuppressedError(error, failure.error) };
        }
      }
      if (failure !== undefined) throw failure.error;
    }

    [Symbol.asyncDispose]() {
      return this.disposeAsync();
    }
  },
);
