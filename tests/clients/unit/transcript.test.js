import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Transcript, compare } from '../../../src/http/page/transcript.js';

const message = (id, content, at = '2026-01-01T00:00:00Z') => ({ id, content, role: 'patient', timestamp: at });
const piece = (index, text, next_index) => ({ message_id: 'a', index, text, next_index });
const texts = (transcript) => transcript.ordered.map(({ content }) => content);

test('a message is there once, whichever way and how often it comes', () => {
  const transcript = new Transcript();
  transcript.takeDraft({ id: 'm', content: 'hi', role: 'patient' });
  transcript.takeMessage(message('m', 'hi'));
  transcript.takeSnapshot({ messages: [message('m', 'hi')] });

  assert.deepEqual(texts(transcript), ['hi']);
  assert.equal(transcript.items.get('m').state, 'stored');
});

test('messages stand in the order of their times, what is under way at the end', () => {
  const transcript = new Transcript();
  transcript.takePiece(piece(0, 'answer'));
  transcript.takeMessage(message('2', 'second', '2026-01-01T00:00:02Z'));
  transcript.takeMessage(message('1', 'first', '2026-01-01T01:00:01+01:00'));

  assert.deepEqual(texts(transcript), ['first', 'second', 'answer']);
});

test('pieces go together in order, and each counts once', () => {
  const transcript = new Transcript();
  for (const told of [piece(0, 'a'), piece(0, 'a'), piece(1, 'b'), piece(3, 'd'), piece(2, 'c')]) transcript.takePiece(told);

  assert.deepEqual(texts(transcript), ['abc']);
});

test('a piece that stands for several brings what is missing, or all of it', () => {
  const transcript = new Transcript();
  transcript.takePiece(piece(0, 'a'));
  transcript.takePiece(piece(1, 'bcd', 4));
  assert.deepEqual(texts(transcript), ['abcd']);

  transcript.takePiece(piece(0, 'another text', 9));
  transcript.takePiece(piece(9, '!'));
  assert.deepEqual(texts(transcript), ['another text!']);
});

test('a page that comes in later goes on from the snapshot', () => {
  const transcript = new Transcript();
  transcript.takeSnapshot({ answers: [{ message_id: 'a', text: 'abc', next_index: 3 }] });
  for (const told of [piece(2, 'c'), piece(3, 'd')]) transcript.takePiece(told);
  // What is known already is not taken back.
  transcript.takeSnapshot({ answers: [{ message_id: 'a', text: 'abc', next_index: 3 }] });

  assert.deepEqual(texts(transcript), ['abcd']);
});

test('the message ends its answer, and pieces behind it are nothing', () => {
  const transcript = new Transcript();
  transcript.takePiece(piece(0, 'a'));
  transcript.takeMessage({ ...message('a', 'abc'), role: 'assistant' });

  assert.equal(transcript.takePiece(piece(1, 'b')), undefined);
  assert.equal(transcript.endAnswer('a').state, 'stored');
  assert.deepEqual(texts(transcript), ['abc']);
});

test('an answer that is over or silent without its message broke off, until it goes on', () => {
  const transcript = new Transcript();
  transcript.takePiece(piece(0, 'a'));
  assert.equal(transcript.endAnswer('a').state, 'broken');
  transcript.takePiece(piece(1, 'b'));
  assert.deepEqual(transcript.breakSilent(1_000), []);
  assert.equal(transcript.breakSilent(1_000, Date.now() + 2_000).length, 1);
  transcript.takeMessage(message('a', 'ab'));

  assert.equal(transcript.items.get('a').state, 'stored');
});

test('behind a gap an answer that the server does not know any more broke off', () => {
  const transcript = new Transcript();
  transcript.takePiece(piece(0, 'a'));
  transcript.takeSnapshot({ gap: false });
  assert.equal(transcript.items.get('a').state, 'writing');
  transcript.takeSnapshot({ gap: true });

  assert.equal(transcript.items.get('a').state, 'broken');
});

test('a draft that is refused goes, one that was kept stays', () => {
  const transcript = new Transcript();
  for (const id of ['1', '2']) transcript.takeDraft({ id, content: id, role: 'patient' });
  transcript.takeMessage(message('2', '2'));
  for (const id of ['1', '2']) transcript.dropDraft(id);

  assert.deepEqual(texts(transcript), ['2']);
});

test('an own message stays an own one, whether its answer or its event is first', () => {
  const transcript = new Transcript();
  transcript.takeDraft({ id: 'm', content: 'hi', role: 'patient' });
  transcript.takeMessage(message('m', 'hi'));

  assert.equal(transcript.takeMessage(message('m', 'hi')).isOwn, true);
  assert.equal(transcript.takeMessage(message('n', 'ho')).isOwn, undefined);
});

test('the comparison finds a message that is missing, or other, and an answer out of step', () => {
  const transcript = new Transcript();
  transcript.takeMessage(message('1', 'one'));
  transcript.takePiece(piece(0, 'ab'));
  const answer = (text) => ({ answers: [{ message_id: 'a', text, next_index: 1 }] });

  assert.equal(compare(transcript, { messages: [message('1', 'one')], ...answer('abc') }), 0);
  assert.equal(compare(transcript, answer('a')), 0);
  assert.equal(compare(transcript, { messages: [message('1', 'two'), message('2', 'two')] }), 2);
  assert.equal(compare(transcript, answer('xy')), 1);
  assert.equal(compare(new Transcript(), answer('')), 1);
});
