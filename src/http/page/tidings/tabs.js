// The tabs of a browser that follow the same stream: one of them leads, which is to hold its connection.

/**
 * @typedef {object} TabsHost
 * @property {() => string} cursor
 * @property {() => void} lead this tab has the connection from now on
 * @property {() => void} follow another tab has taken it
 * @property {() => void} beAlone tabs cannot find each other here
 * @property {() => void} catchUp nobody answers
 * @property {(cursor: string) => object} answer what a tab with this cursor has to be told
 * @property {(message: any) => void} hearAnswer
 * @property {(message: any) => void} hear
 * @property {(delay: number) => void} cut
 */

const ANSWER_WITHIN_MS = 1_500;

export function canShare() {
  return 'locks' in navigator && navigator.locks && 'BroadcastChannel' in globalThis;
}

export class Tabs {
  leads = false;
  hasLeft = false;
  id = Math.random().toString(36).slice(2);
  waiting = new AbortController();
  release = () => {};

  /** @param {string} name @param {TabsHost} host */
  constructor(name, host) {
    this.name = name;
    this.host = host;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.queue({ signal: this.waiting.signal });
    this.post({ ask: this.id, cursor: host.cursor() });
    this.unanswered = setTimeout(() => host.catchUp(), ANSWER_WITHIN_MS);
  }

  leave() {
    this.hasLeft = true;
    this.leads = false;
    clearTimeout(this.unanswered);
    this.waiting.abort();
    this.release();
    this.channel.close();
  }

  /** @param {object} message */
  post(message) {
    this.channel.postMessage(message);
  }

  /** Takes the lead from a tab that says nothing any more, as a frozen one does. */
  takeOver() {
    this.waiting.abort();
    this.queue({ steal: true });
  }

  /**
   * The leader holds a lock; the browser gives it to the next when the leader is gone.
   *
   * @param {LockOptions} options
   */
  queue(options) {
    navigator.locks.request(this.name, options, () => this.lead()).catch((error) => this.lose(error));
  }

  lead() {
    if (this.hasLeft) return undefined;
    clearTimeout(this.unanswered);
    this.leads = true;
    const led = new Promise((resolve) => (this.release = () => resolve(undefined)));
    this.host.lead();
    return led;
  }

  /** @param {DOMException} error */
  lose(error) {
    if (this.hasLeft) return;
    if (this.leads) {
      this.leads = false;
      this.waiting = new AbortController();
      this.queue({ signal: this.waiting.signal });
      this.host.follow();
    } else if (error.name !== 'AbortError') {
      this.host.beAlone();
    }
  }

  /** @param {any} message */
  hear(message) {
    const { ask, cursor } = message;
    if (this.leads) {
      if (ask) this.post({ to: ask, asked: cursor, ...this.host.answer(cursor) });
      else if (message.cut >= 0) this.host.cut(message.cut);
    } else if (message.to === this.id) {
      clearTimeout(this.unanswered);
      this.host.hearAnswer(message);
    } else if (message.state && !message.to) {
      this.host.hear(message);
    }
  }
}
