/**
 * Follows work in progress over Server-Sent Events: every event once and in order, across reconnects,
 * expiring tokens, sleeping phones and connections that die without a word, over one connection for all
 * tabs of a browser.
 */

/** `stalled`: two heartbeats are missing; the connection is replaced if no other comes. */
export type StreamState = 'connecting' | 'live' | 'reconnecting' | 'stalled' | 'closed';

/** In words a person can act on. */
export interface Problem {
  title: string;
  detail?: string;
  /** Of the answer; 0 or none when there was no answer. */
  status?: number;
}

export interface StateInfo {
  /**
   * Of `closed`: `done`, `finished` (there is nothing more to come) or `refused` (see `problem`); none
   * after `close()`. Of `reconnecting`: the server's word (`max_duration`, `shutdown`, `slow_consumer`,
   * `token_expired`, `overloaded`) or `cut`.
   */
  reason?: string;
  problem?: Problem;
}

/** One stream, as long as it is followed. */
export interface Following {
  readonly state: StreamState;
  /** The cursor: give it as `lastEventId` to go on from here. Opaque. */
  readonly lastEventId: string;
  /** Whether this tab has the connection, on its own account or for other tabs too. */
  readonly leads: boolean;
  close(): void;
  /** Drops the connection, also if another tab has it, and comes back with the cursor. */
  reconnect(afterMs?: number): void;
}

export interface StreamOptions<Connected> {
  /** Sent as `?token=`, since EventSource can set no header, and renewed in time. */
  token?: string;
  /**
   * Gets another token; given the one there is, which may have ended. By default the service renews one
   * that still holds (`POST /api/v1/tokens`), for 12 hours.
   */
  renewToken?: (token: string) => Promise<string>;
  /** Lifetime asked for when the service renews a token. Default 900. */
  tokenTtlSeconds?: number;
  /** Where an earlier stream stopped, or `earliest` for all that is still known. */
  lastEventId?: string;
  /** Only these types of events; `connected`, `heartbeat`, `source`, `reconnect` and `done` always come. */
  events?: string[];
  /** Origin of the service. Default: the page's own. */
  baseUrl?: string;
  /** Send cookies to another origin. */
  withCredentials?: boolean;
  /** As configured on the server, `HEARTBEAT_INTERVAL_MS`. Default 5000. */
  heartbeatMs?: number;
  /** One connection for all tabs that follow the same. Default true, where the browser can. */
  share?: boolean;
  /** The snapshot. With `gap` it replaces what is known: events in between are lost. */
  onConnected?: (data: Connected) => void;
  onHeartbeat?: (data: { server_time: string }) => void;
  /** A part behind the server went down, or came back. */
  onSource?: (data: { source: string; state: 'up' | 'down' }) => void;
  onReconnect?: (data: { reason: string }) => void;
  onState?: (state: StreamState, info: StateInfo) => void;
  /** Every event, before its own callback. */
  onEvent?: (type: string, data: any, id: string) => void;
  /** An event that came again and was dropped. */
  onRepeat?: (eventId: string) => void;
  /** A renewed token, for the page's other requests. */
  onTokenRenewed?: (token: string) => void;
}

export interface Connected {
  channel: string;
  server_time: string;
  /** Whether the stream goes on from the cursor. */
  resumed: boolean;
  /** Whether events may be missing. */
  gap: boolean;
}

export type Stage =
  | 'upload_received'
  | 'ocr_started'
  | 'ocr_complete'
  | 'analysis_started'
  | 'analysis_complete'
  | 'matching_complete';

export type DocumentStatus =
  | 'uploaded'
  | 'ocr_processing'
  | 'ocr_complete'
  | 'analyzing'
  | 'analyzed'
  | 'complete'
  | 'failed';

export interface DocumentEntry {
  document_id: string;
  filename?: string;
  status: DocumentStatus;
  stage?: Stage;
  percent?: number;
  attempt?: number;
  /** Why it failed, as a code. */
  reason?: string;
  updated_at?: string;
  /** When each step was first told. */
  steps?: Partial<Record<Stage, string>>;
  /** How long it will take still: at least, at most. */
  eta_seconds?: [number, number];
}

export interface Progress {
  document_id: string;
  stage: Stage;
  step: number;
  total_steps: number;
  percent: number;
  status: 'started' | 'in_progress' | 'completed' | 'failed';
  label: string;
  detail: string | null;
  timestamp: string;
  event_id: string;
  attempt: number;
  eta_seconds?: [number, number];
  /** What the publisher added. */
  [field: string]: unknown;
}

export interface DocumentUpdate {
  document_id: string;
  status: DocumentStatus;
  attempt?: number;
  updated_at: string;
  reason?: string;
}

export interface DocumentOptions extends StreamOptions<Connected & { documents: DocumentEntry[] }> {
  patientId: string;
  /** Only these documents; all of the patient's when empty. */
  documentIds?: string[];
  /** Stay open after `done`. */
  follow?: boolean;
  onProgress?: (data: Progress) => void;
  onDocumentUpdate?: (data: DocumentUpdate) => void;
  /** Nothing is under way any more. Without `follow` the stream is closed behind it. */
  onDone?: (data: { documents: DocumentEntry[] }) => void;
}

/** Follows documents of a patient. */
export function followDocuments(options: DocumentOptions): Following;

export interface ChatMessage {
  id: string;
  content: string;
  role: string;
  timestamp: string;
  sender?: Record<string, unknown>;
}

export interface ChatOptions extends StreamOptions<Connected & Record<string, any>> {
  caseId: string;
  /** The next piece of an answer; `index` counts from 0. */
  onToken?: (data: { message_id: string; index: number; text: string }) => void;
  onMessage?: (data: any) => void;
  onAgentJoined?: (data: any) => void;
  onTyping?: (data: any) => void;
  onAnswerDone?: (data: any) => void;
}

/** Follows the chat of a case. */
export function followChat(options: ChatOptions): Following;

export interface OtherOptions extends StreamOptions<Connected & Record<string, any>> {
  /** One of those that the server's `STREAM_KINDS` names. */
  kind: string;
  id: string;
  /** The types to listen for. They come to `onEvent`. */
  events: string[];
}

/** Follows any other kind. */
export function followStream(options: OtherOptions): Following;

/** Reads why a request was refused. */
export function readProblem(response: Response): Promise<Problem>;
