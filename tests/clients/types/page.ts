// A page of somebody else, held to what the service declares. Each mistake has to be one.
import { followChat, followDocuments, followStream, readProblem } from '/tidings.js';
import type { Following, Problem } from '/tidings.js';

const following: Following = followDocuments({
  patientId: 'p1',
  documentIds: ['d1'],
  follow: true,
  onConnected: ({ documents, gap }) => console.log(gap, documents[0]?.status === 'complete'),
  onProgress: ({ percent, eta_seconds: [least, most] = [0, 0] }) => console.log(percent + most - least),
  onState: (state, { problem }) => console.log(state === 'stalled', problem?.title.length),
  onTokenRenewed: (token) => console.log(token.length),
  renewToken: async (token) => token.slice(1),
});
following.reconnect(1_000);
console.log(following.state === 'live', following.lastEventId.length, following.leads);

followChat({ caseId: 'c1', onToken: ({ index, text }) => console.log(index + text.length) }).close();
followStream({ kind: 'invoices', id: 'i1', events: ['paid'], onEvent: (type) => console.log(type.length) });

const problem: Promise<Problem> = readProblem(new Response());
console.log(problem);

// @ts-expect-error A patient is needed.
followDocuments({});
// @ts-expect-error There is no such state.
console.log(following.state === 'open');
// @ts-expect-error The types to listen for are needed.
followStream({ kind: 'invoices', id: 'i1' });
// @ts-expect-error A cursor is read, never written.
following.lastEventId = '';
