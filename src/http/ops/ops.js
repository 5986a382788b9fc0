// The operators' page: each second a view comes, and everything shown follows from it.

import { follow } from './feed.js';
import { buckets, duration, increase, plain, quantile, rate, sum } from './numbers.js';
import { SHOWN_SECONDS, plot } from './plot.js';

const LATENCY_OVER_MS = 30_000;
const STAGES = ['ocr', 'analysis', 'matching'];
const COUNTED = [
  'tidings_events_published_total', 'tidings_events_received_total', 'tidings_events_sent_total',
  'tidings_events_dropped_total', 'tidings_delivery_seconds_count', 'tidings_log_gaps_total',
  'tidings_documents_ended_total', 'tidings_status_reads_total', 'tidings_redis_commands_total',
  'tidings_spans_sent_total', 'tidings_spans_dropped_total',
];
const STATES = { live: 'Live', lost: 'Connection lost, coming back…', refused: 'Not let in' };

const find = (id) => document.getElementById(id);
const views = [];
const points = [];
let key = '';

function show(view) {
  const before = views.at(-1) ?? view;
  // A server that was started anew counts from nothing again.
  if (sum(view.samples, 'tidings_events_published_total') < sum(before.samples, 'tidings_events_published_total')) {
    views.length = 0;
  }
  views.push(view);
  while (views[0].time < view.time - SHOWN_SECONDS * 1000) views.shift();
  points.push(measure(before, view));
  while (points[0].time < view.time - SHOWN_SECONDS * 1000) points.shift();
  find('board').hidden = false;
  find('sign-in').hidden = true;
  showNow(view, points.at(-1));
  showPlots(view);
  showSources(view);
  showStages(view);
  showFailures(view);
  showCounts(view);
}

function measure(before, view) {
  const since = views.find(({ time }) => time >= view.time - LATENCY_OVER_MS) ?? view;
  const counted = (samples) => buckets(samples, 'tidings_delivery_seconds');
  const recent = increase(counted(since.samples), counted(view.samples));
  return {
    time: view.time,
    // What others publish is only read here.
    in: Math.max(rate(before, view, 'tidings_events_published_total'), rate(before, view, 'tidings_events_received_total')),
    out: rate(before, view, 'tidings_events_sent_total'),
    p50: quantile(0.5, recent),
    p95: quantile(0.95, recent),
  };
}

function showNow({ samples }, point) {
  find('streams').textContent = plain(sum(samples, 'tidings_streams_open'));
  const kinds = ['doc_progress', 'chat', 'other'].map(
    (kind) => `${kind} ${plain(samples[`tidings_streams_open{kind="${kind}"}`] ?? 0)}`,
  );
  find('streams-by-kind').textContent = kinds.join(' · ');
  find('events-in').textContent = plain(point.in);
  find('events-out').textContent = plain(point.out);
  find('published').textContent = `${plain(sum(samples, 'tidings_events_published_total'))} published since the start`;
  find('sent').textContent = `${plain(sum(samples, 'tidings_events_sent_total'))} sent since the start`;
  find('latency').textContent = duration(point.p95);
}

function showPlots({ time }) {
  const line = (name, field) => ({ name, points: points.map((point) => [point.time, point[field]]) });
  plot(find('plot-events'), time, [line('one', 'in'), line('two', 'out')], plain, 1);
  plot(find('plot-latency'), time, [line('one', 'p50'), line('two', 'p95')], duration, 0.01);
}

function showSources({ sources }) {
  const rows = sources.map(({ source, is_up: isUp, since }) =>
    row([source, isUp ? 'up' : 'down: see /readyz', clock(since)], isUp ? '' : 'down'),
  );
  find('sources').replaceChildren(...rows);
}

function showStages({ samples }) {
  const rows = STAGES.map((stage) => {
    const label = `stage="${stage}"`;
    const counted = buckets(samples, 'tidings_stage_seconds', label);
    const of = (part, outcome = '') =>
      Object.entries(samples)
        .filter(([name]) => name.startsWith(`tidings_stage_seconds_${part}{`) && name.includes(label) && name.includes(outcome))
        .reduce((total, [, value]) => total + value, 0);
    const count = of('count');
    const [done, failed] = [of('count', 'outcome="completed"'), of('count', 'outcome="failed"')];
    const mean = count > 0 ? of('sum') / count : null;
    return row([stage, plain(done), plain(failed), duration(mean), duration(quantile(0.95, counted))], '', 1);
  });
  find('stages').replaceChildren(...rows);
}

function showFailures({ failures }) {
  const rows = failures.map(({ at, part, reason, count }) => row([clock(at), part, reason, plain(count)], '', 3));
  find('failures').replaceChildren(...rows);
  find('no-failures').hidden = rows.length > 0;
}

function showCounts({ samples }) {
  const rows = COUNTED.map((name) => {
    const shown = row([name, plain(sum(samples, name))], '', 1);
    shown.dataset.metric = name;
    shown.dataset.value = sum(samples, name);
    return shown;
  });
  find('counts').replaceChildren(...rows);
}

function row(cells, className, numbersFrom = cells.length) {
  const tr = document.createElement('tr');
  tr.className = className;
  cells.forEach((text, place) => {
    const td = document.createElement('td');
    td.textContent = text;
    if (place >= numbersFrom) td.className = 'number';
    tr.append(td);
  });
  return tr;
}

function clock(time) {
  return new Date(time).toLocaleTimeString('en-GB');
}

function tell(state) {
  find('state').dataset.state = state;
  find('state').textContent = STATES[state];
}

async function run() {
  const refusal = await follow(() => key, show, tell);
  tell('refused');
  find('board').hidden = true;
  find('sign-in').hidden = false;
  find('refusal').textContent = refusal;
  find('refusal').hidden = !key;
  find('key').focus();
}

find('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  key = find('key').value.trim();
  find('key').value = '';
  run();
});
run();
