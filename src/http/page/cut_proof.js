// A button that cuts a connection, and then shows what that has cost: what is compared, its owner says.

import { announce } from './announcement.js';

const BUTTON_WORDS = 'Cut the connection';
const CUT_MS = 3_000;
const LONGEST_WAIT_MS = 30_000;

export class CutProof {
  cut;
  /** Who waits for the page's own next heartbeat. */
  waiting = new Set();

  /**
   * `read` fetches what the server holds, over a stream of its own; `compare` gives what of it is lost and
   * what is doubled on the page; `count` says how many `noun`s have come to it so far.
   */
  constructor({ button, place, noun, meanwhile, read, compare, count }) {
    Object.assign(this, { button, place, noun, meanwhile, read, compare, count });
  }

  /** Offers the cut; `cutStream` drops the connection for so many milliseconds. */
  offer(cutStream) {
    this.button.addEventListener('click', () => {
      if (this.cut) return;
      this.cut = { at: Date.now(), known: this.count() };
      this.button.textContent = 'Connection is cut…';
      this.show(`Cut for ${CUT_MS / 1_000} seconds. What ${this.meanwhile} meanwhile is not lost.`, 'cut');
      cutStream(CUT_MS);
    });
  }

  /** What was proved of somebody else says nothing of who is followed now. */
  forget() {
    this.end();
    this.place.hidden = true;
  }

  /** What had come before the cut is counted no more. */
  countAnew() {
    if (this.cut) this.cut.known = 0;
  }

  noteBeat() {
    this.waiting.forEach((resolve) => resolve());
    this.waiting.clear();
  }

  /** The connection is there again: proves that nothing is missing. */
  async prove() {
    const { cut } = this;
    if (!cut || cut.isProving) return;
    cut.isProving = true;
    const away = ((Date.now() - cut.at) / 1_000).toFixed(1);
    const { words, state } = await this.proveOf(cut, away).catch((problem) => ({
      words: `The comparison did not come about. ${problem}`,
      state: 'bad',
    }));
    // It may have been forgotten meanwhile.
    if (this.cut !== cut) return;
    this.show(words, state);
    this.end();
  }

  async proveOf(cut, away) {
    const held = await this.read();
    // What the server told last may still be on its way to the page.
    await inTime(new Promise((resolve) => this.waiting.add(resolve)));
    const { lost, doubled } = this.compare(held);
    const count = this.count() - cut.known;
    const came = `${count} ${this.noun}${count === 1 ? '' : 's'}`;
    const words = `Back after ${away} s. ${came} since the cut: lost ${lost}, doubled ${doubled}.`;
    return { words, state: lost + doubled > 0 ? 'bad' : 'good' };
  }

  end() {
    this.cut = undefined;
    this.button.textContent = BUTTON_WORDS;
  }

  show(words, state) {
    this.place.textContent = words;
    this.place.dataset.state = state;
    this.place.hidden = false;
    announce(this.place.id, words);
  }
}

/** Waits for what a server has to answer. */
export async function inTime(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject('The server did not answer in time.'), LONGEST_WAIT_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
