// The newest events of a stream, for tabs that come later than the connection.

import { positionOf } from './cursor.js';

/** @typedef {[type: string, data: any, id: string]} Told */

const KEPT = 600;
const PASSING = ['heartbeat', 'reconnect'];

/** Keeps what was told, so that another tab can be told the same. */
export class History {
  /** @type {Told[]} */
  told = [];
  isWhole = true;

  constructor(size = KEPT) {
    this.size = size;
  }

  /** @param {Told} told */
  add(told) {
    if (PASSING.includes(told[0])) return;
    this.told.push(told);
    if (this.told.length > this.size) {
      this.told.shift();
      this.isWhole = false;
    }
  }

  /**
   * What a tab with this cursor has missed: with none all since the newest `connected`; null where
   * that cannot be told from here.
   *
   * @param {string} cursor @returns {Told[] | null}
   */
  since(cursor) {
    if (!cursor) {
      const snapshot = this.told.findLastIndex(([type]) => type === 'connected');
      return snapshot >= 0 || this.isWhole ? this.told.slice(Math.max(snapshot, 0)) : null;
    }
    const known = this.told.findIndex(([, , id]) => id && positionOf(id) === positionOf(cursor));
    return known >= 0 ? this.told.slice(known + 1) : null;
  }
}
