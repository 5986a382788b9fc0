// What has been handed to the page, so that nothing is handed to it twice.

// The log of a channel holds 512 events at most, so no replay brings back more.
const REMEMBERED = 4_096;
// These repeat an id, or carry one that was not given to them alone.
const UNNUMBERED = ['connected', 'done', 'heartbeat', 'source', 'reconnect'];

/** Remembers the newest keys, and forgets the oldest. */
export class Seen {
  /** @type {Set<string>} */
  keys = new Set();

  constructor(size = REMEMBERED) {
    this.size = size;
  }

  /** Says whether one of the keys is known; from now on all are. @param {string[]} keys */
  meets(keys) {
    const known = keys.some((key) => this.keys.has(key));
    for (const key of keys) {
      this.keys.delete(key);
      this.keys.add(key);
    }
    for (const key of this.keys) {
      if (this.keys.size <= this.size) break;
      this.keys.delete(key);
    }
    return known;
  }
}

/**
 * What an event goes by: its place in the log, the `event_id` it was published with, and the `id` of
 * what it tells, which may come from the log and from the store.
 *
 * @param {string} type @param {any} data @param {string} id
 * @param {string} lastId of the event before @param {string[]} [single] types that come once for each `id`
 */
export function keysOf(type, data, id, lastId, single = []) {
  const keys = data?.event_id ? [`event ${data.event_id}`] : [];
  if (UNNUMBERED.includes(type)) return keys;
  if (single.includes(type) && data?.id) keys.push(`${type} ${data.id}`);
  // An event without an id of its own carries the one before it.
  if (id && id !== lastId) keys.push(`log ${id}`);
  return keys;
}
