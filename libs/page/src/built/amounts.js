const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes for people: `1.5 GiB`. */
export function byteAmount(bytes        )         {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}

/** Milliseconds for people: `85 ms`, `1.20 s`. */
export const duration = (ms        )         => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);

/** A rate for people. */
export const perSecond = (value        )         => `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} tokens/s`;

/** `1 worker`, `3 workers`. */
export const plural = (count        , noun        )         => `${count} ${noun}${count === 1 ? "" : "s"}`;
