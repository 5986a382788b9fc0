// Where a tab stands in a stream, and how that compares with where another one stands.

/** Where in the log a cursor lies, without the mark of what its holder had been told. @param {string} cursor */
export function positionOf(cursor) {
  return cursor.split('~')[0];
}

/**
 * How what the leader tells joins on to what a tab has: `next` goes on right behind it, `known` is
 * where it stands already, `wait` needs a `connected` first, `off` has something missing in between.
 *
 * @param {string} own cursor of the tab
 * @param {string} at the leader's cursor before the event
 * @param {import('./history.js').Told} [told] the event, if there is one
 * @returns {'next' | 'known' | 'wait' | 'off'}
 */
export function joinOf(own, at, told) {
  const [type, , id] = told ?? [];
  if (!own) return type === 'connected' ? 'next' : 'wait';
  if (positionOf(at) === positionOf(own)) return 'next';
  return id && positionOf(id) === positionOf(own) ? 'known' : 'off';
}
