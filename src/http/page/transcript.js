// What has been said in a case: messages by their id, and answers that are still being written.

/**
 * `sending` is on its way to the server, `writing` comes piece by piece, `broken` is an answer that nobody
 * goes on with, `stored` is what it will stay.
 */
export class Transcript {
  items = new Map();

  get ordered() {
    return [...this.items.values()].sort((one, other) => one.at - other.at || one.place - other.place);
  }

  /** The stored message, whatever was known of it. */
  takeMessage({ id, content, role, timestamp, sender = {} }) {
    return this.put(id, { content, role, sender, timestamp, at: timeOf(timestamp), state: 'stored' });
  }

  /** All there is, as the server says when a stream opens; gives what is new. */
  takeSnapshot({ messages = [], answers = [], gap = false }) {
    const fresh = messages.filter(({ id }) => this.items.get(id)?.state !== 'stored');
    for (const message of messages) this.takeMessage(message);
    for (const answer of answers) this.takeAnswer(answer);
    const known = new Set(answers.map(({ message_id }) => message_id));
    // Behind a gap nobody tells any more how these went on.
    if (gap) this.writing.filter(({ id }) => !known.has(id)).forEach((item) => (item.state = 'broken'));
    return fresh;
  }

  takeAnswer({ message_id, text, next_index }) {
    const item = this.answer(message_id);
    if (item.state === 'stored' || next_index < item.next) return;
    Object.assign(item, { content: text, next: next_index, state: 'writing' });
  }

  /** A piece of an answer; gives its item, or nothing where it brings nothing. */
  takePiece({ message_id, index, text, next_index = index + 1 }) {
    const item = this.answer(message_id);
    // One that stands for several and begins at 0 brings the whole text anew.
    const isWhole = index === 0 && next_index > 1;
    if (item.state === 'stored' || (index !== item.next && !isWhole)) return undefined;
    const content = isWhole ? text : item.content + text;
    return Object.assign(item, { content, next: next_index, state: 'writing', heardAt: Date.now() });
  }

  /** Nothing more comes of an answer. Without its message it broke off. */
  endAnswer(id) {
    const item = this.items.get(id);
    if (item?.state === 'writing') item.state = 'broken';
    return item;
  }

  /** Answers that have fallen silent; whoever wrote them is gone. */
  breakSilent(afterMs, now = Date.now()) {
    const silent = this.writing.filter(({ heardAt }) => now - heardAt > afterMs);
    for (const item of silent) item.state = 'broken';
    return silent;
  }

  /** An own message, before the server has it. It stays an own one when the server has. */
  takeDraft({ id, content, role }) {
    if (this.items.has(id)) return this.items.get(id);
    return this.put(id, { content, role, sender: {}, at: Infinity, state: 'sending', isOwn: true });
  }

  dropDraft(id) {
    if (this.items.get(id)?.state === 'sending') this.items.delete(id);
  }

  /** Something that happened, told among the messages and kept nowhere. */
  takeNote(content) {
    const at = Math.max(0, ...this.ordered.map((item) => item.at).filter(Number.isFinite));
    const note = { content, role: 'system', sender: {}, at, state: 'stored', isNote: true };
    return this.put(`note ${this.items.size}`, note);
  }

  get writing() {
    return [...this.items.values()].filter(({ state }) => state === 'writing');
  }

  answer(id) {
    const fresh = { content: '', role: 'assistant', sender: {}, next: 0, at: Infinity, state: 'writing' };
    return this.items.get(id) ?? this.put(id, { ...fresh, heardAt: Date.now() });
  }

  put(id, fields) {
    const item = this.items.get(id) ?? { id, place: this.items.size };
    this.items.set(id, Object.assign(item, fields));
    return item;
  }
}

/** How the transcript compares with what the server holds: for the proof that a cut loses nothing. */
export function compare(transcript, { messages = [], answers = [] }) {
  const isThere = ({ id, content }) => transcript.items.get(id)?.content === content;
  const isInStep = ({ message_id, text }) => {
    const shown = transcript.items.get(message_id);
    return shown?.state === 'stored' || shown?.content.startsWith(text) || text.startsWith(shown?.content ?? '\0');
  };
  return messages.filter((message) => !isThere(message)).length + answers.filter((answer) => !isInStep(answer)).length;
}

function timeOf(timestamp) {
  const at = Date.parse(timestamp);
  return Number.isNaN(at) ? 0 : at;
}
