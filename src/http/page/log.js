// Every event as it came, for whoever wants to look behind the cards.

const LINES = 200;

const log = document.getElementById('log');

export function appendToLog(type, data, id) {
  // Heartbeats in a row take one line, else an hour of quiet would push out everything else.
  const newest = log.firstElementChild;
  if (type === 'heartbeat' && newest?.dataset.type === 'heartbeat') newest.remove();
  log.prepend(lineOf(type, data, id));
  while (log.childElementCount > LINES) log.lastElementChild.remove();
}

function lineOf(type, data, id) {
  const line = document.createElement('li');
  line.dataset.type = type;
  const name = document.createElement('span');
  name.className = 'type';
  name.textContent = type;
  line.append(new Date().toLocaleTimeString(), ' ', name, ' ', JSON.stringify(data), id ? ` at ${id}` : '');
  return line;
}
