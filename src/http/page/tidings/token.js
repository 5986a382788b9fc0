// A viewer's token, renewed before it ends.

import { readProblem } from './problem.js';

const LONGEST_MARGIN_MS = 300_000;
const SHORTEST_MARGIN_MS = 20_000;
const BETWEEN_TRIES_MS = 5_000;
const REFUSALS = [400, 401, 403, 404];

/** What a JWT says; nothing for any other token. @param {string} token */
export function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return {};
  }
}

/**
 * How long before its end a token with so much left is renewed. A server ends streams 10 s early, and
 * a hidden tab may be a minute late.
 *
 * @param {number} left in milliseconds
 */
export function marginOf(left) {
  return Math.min(Math.max(left / 3, Math.min(0.8 * left, SHORTEST_MARGIN_MS)), LONGEST_MARGIN_MS);
}

export class Token {
  value = '';
  expiresAt = NaN;
  margin = NaN;
  notBefore = 0;
  /** @type {number | undefined} */
  ahead;
  /** @type {Promise<void> | undefined} */
  renewing;

  /** @param {{value: string, ask: (token: string) => Promise<string>, told: (token: string) => void}} host */
  constructor({ value, ask, told }) {
    this.ask = ask;
    this.told = told;
    this.take(value);
  }

  /** @param {string} value */
  take(value) {
    this.value = value;
    this.expiresAt = claimsOf(value).exp * 1_000;
    this.margin = NaN;
  }

  /** Learns what time the server has. @param {string} [serverTime] */
  hear(serverTime) {
    const ahead = Date.parse(serverTime ?? '') - Date.now();
    if (Number.isFinite(ahead)) this.ahead = ahead;
  }

  tick(now = Date.now()) {
    // Clocks of browsers may be hours off.
    if (this.ahead === undefined) return;
    const left = this.expiresAt - now - this.ahead;
    if (Number.isNaN(this.margin)) this.margin = marginOf(left);
    if (!(left <= this.margin) || now < this.notBefore) return;
    this.notBefore = now + BETWEEN_TRIES_MS * (1 + Math.random());
    // A failure here costs nothing: the server's `token_expired` asks again.
    this.renew().catch((problem) => {
      if (REFUSALS.includes(problem?.status)) this.expiresAt = NaN;
    });
  }

  /** Rejects with a problem. @returns {Promise<void>} */
  renew() {
    this.renewing ??= this.replace().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  async replace() {
    const value = await this.ask(this.value);
    this.take(value);
    this.told(value);
  }
}

/**
 * Asks the service for a token that covers as much as the one there is.
 *
 * @param {{baseUrl: string, channel: string, seconds: number}} options @param {string} token
 * @returns {Promise<string>}
 */
export async function renewAtService({ baseUrl, channel, seconds }, token) {
  const channels = [...new Set([...(claimsOf(token).channels ?? []), channel])];
  const response = await fetch(`${baseUrl}/api/v1/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ channels, ttl_seconds: seconds }),
  });
  if (!response.ok) throw await readProblem(response);
  return (await response.json()).token;
}
