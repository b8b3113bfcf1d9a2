// Many short requests through one router before a worker that answers at once and computes nothing, and what the router's process keeps of them: its resident
// memory after each tenth, and the slope of a line through the second half of them. Envelope: a request costs the router some half a millisecond
// of a core, and as much again the client and the worker, which are other processes: 200,000 are some five minutes on two cores. Ends with 1 where a
// request failed or the second half rises by more than SLOPE_MAX.
// Usage: node scripts/run.mjs bench/router-memory.ts [--requests 200000] [--at-once 32]
