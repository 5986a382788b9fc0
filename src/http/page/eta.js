// How long a document will take still, as far as the server can tell.

const A_MINUTE = 60;
const ROUND_BEYOND = 90;

/** Keeps what an event or a snapshot says; without a word the server does not know. */
export function takeEta(card, told) {
  const [least, most] = told.eta_seconds ?? [];
  const isRange = Number.isFinite(least) && Number.isFinite(most);
  card.eta = isRange ? { least, most, at: Date.now() } : null;
}

export function etaInWords({ eta }, now = Date.now()) {
  if (!eta) return '';
  const gone = (now - eta.at) / 1_000;
  const most = eta.most - gone;
  // Longer than ever before: a number would be a guess.
  if (most <= 0) return 'a little longer than usual';
  return `about ${range(Math.max(0, eta.least - gone), most)} left`;
}

function range(least, most) {
  const inMinutes = most > ROUND_BEYOND;
  const unit = inMinutes ? A_MINUTE : 1;
  const [from, to] = [Math.max(1, Math.round(least / unit)), Math.max(1, Math.round(most / unit))];
  const name = inMinutes ? 'min' : 's';
  return from === to ? `${to} ${name}` : `${from}–${to} ${name}`;
}
