// What the procedure of a case asks for, and which documents serve it.

import { announce } from './announcement.js';
import { chosenProcedure, followedCase, isCaseChosen, procedureInWords } from './case.js';
import { nameOf } from './list.js';
import { getJson, inWords } from './request.js';

const LOOK_AFTER_MS = 300;
// Best first, as the server orders them.
const STATE_WORDS = { satisfied: 'Ready', undated: 'Undated', expired: 'Too old', missing: 'Missing' };

const panel = document.getElementById('checklist');
const title = document.getElementById('checklist-title');
const count = document.getElementById('checklist-count');
const bar = document.getElementById('checklist-bar');
const place = document.getElementById('checklist-items');
const note = document.getElementById('checklist-note');
const template = document.getElementById('requirement-template');
let timer;
/** Counts the looks: what an earlier one brings late is not shown. */
let looks = 0;
let toldCount = '';

/** Looks again soon; several calls are one look. */
export function refreshChecklist() {
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_AFTER_MS);
}

/** Another case or procedure: what is shown is no longer true. */
export function changeChecklist() {
  toldCount = '';
  panel.hidden = true;
  refreshChecklist();
}

async function look() {
  const number = ++looks;
  const caseId = followedCase();
  const asked = caseId ? await read(caseId).catch((problem) => ({ problem })) : null;
  if (asked?.problem && !isCaseChosen()) return;
  if (number === looks) show(caseId, asked);
}

/** The checklist of the case; before its first document, what the chosen procedure will ask for. */
async function read(caseId) {
  const checklist = await getJson(`/api/v1/cases/${encodeURIComponent(caseId)}/checklist`).catch(unlessUnknown);
  if (checklist?.procedure_code || !chosenProcedure()) return checklist;
  const code = chosenProcedure();
  const { requirements } = await getJson(`/api/v1/procedures/${encodeURIComponent(code)}/requirements`);
  return { procedure_code: code, requirements: requirements.map((asked) => ({ ...asked, state: 'missing' })) };
}

function unlessUnknown(problem) {
  if (problem.status !== 404) throw problem;
  return null;
}

function show(caseId, asked) {
  const items = asked?.requirements ?? [];
  panel.hidden = !asked || (items.length === 0 && !asked.problem);
  note.hidden = !asked?.problem;
  note.textContent = asked?.problem ? inWords(asked.problem) : '';
  if (panel.hidden) return;
  title.textContent = asked.procedure_code ? procedureInWords(asked.procedure_code) : 'Checklist';
  showCount(caseId, items);
  place.replaceChildren(...items.map(itemNode));
}

function showCount(caseId, items) {
  const there = items.filter(({ state }) => state === 'satisfied').length;
  const words = items.length === 0 ? `Case ${caseId}` : `Case ${caseId}: ${there} of ${items.length} ready`;
  count.textContent = words;
  bar.hidden = items.length === 0;
  bar.setAttribute('aria-valuenow', String(there));
  bar.setAttribute('aria-valuemax', String(Math.max(1, items.length)));
  bar.setAttribute('aria-valuetext', words);
  bar.firstElementChild.style.width = `${(100 * there) / Math.max(1, items.length)}%`;
  panel.dataset.complete = String(items.length > 0 && there === items.length);
  // The first look is no news.
  if (toldCount && toldCount !== words) announce('checklist', `${words}.`);
  toldCount = words;
}

function itemNode(item) {
  const node = template.content.firstElementChild.cloneNode(true);
  Object.assign(node.dataset, { id: item.id, state: item.state });
  node.querySelector('.requirement').textContent = item.title;
  node.querySelector('.state').textContent = STATE_WORDS[item.state] ?? item.state;
  node.querySelector('.reason').textContent = whyInWords(item);
  return node;
}

function whyInWords({ state, document_id, max_age_days }) {
  const limit = max_age_days ? `not older than ${ageInWords(max_age_days)}` : '';
  if (state === 'missing' || !document_id) return limit;
  const name = nameOf(document_id);
  if (state === 'expired') return `${name} is older than ${ageInWords(max_age_days)}`;
  if (state === 'undated') return `${name} does not say how old it is`;
  return name;
}

function ageInWords(days) {
  if (days % 365 === 0) return days === 365 ? 'a year' : `${days / 365} years`;
  return days % 30 === 0 && days > 30 ? `${days / 30} months` : `${days} days`;
}
