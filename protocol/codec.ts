import type { z } from 'zod';
import { isBatch } from './batch-check.ts';
import { type AgentFrame, agentFrameSchema, type DaemonFrame, daemonFrameSchema } from './frame.ts';

/** A frame that could not be read: a stable code, the offending field ('' for the whole), and what to do. */
export interface FrameFault {
  readonly code: 'FRAME_NOT_JSON' | 'FRAME_INVALID';
  readonly field: string;
  readonly message: string;
}
export type Decoded<T> =
  | { readonly ok: true; readonly frame: T }
  | { readonly ok: false; readonly fault: FrameFault };

export function decodeAgentFrame(text: string): Decoded<AgentFrame> {
  const parsed = parse(text);
  if (!parsed.ok) return parsed;
  if (isBatch(parsed.frame)) return { ok: true, frame: parsed.frame };
  return judge(parsed.frame, agentFrameSchema);
}

export function decodeDaemonFrame(text: string): Decoded<DaemonFrame> {
  const parsed = parse(text);
  return parsed.ok ? judge(parsed.frame, daemonFrameSchema) : parsed;
}

export function encodeFrame(frame: AgentFrame | DaemonFrame): string {
  return JSON.stringify(frame);
}

function parse(text: string): Decoded<unknown> {
  try {
    return { ok: true, frame: JSON.parse(text) };
  } catch (error) {
    const message = `the frame is not JSON (${(error as Error).message}); send one JSON object per message`;
    return { ok: false, fault: { code: 'FRAME_NOT_JSON', field: '', message } };
  }
}

function judge<T>(value: unknown, schema: z.ZodType<T>): Decoded<T> {
  const judged = schema.safeParse(value);
  if (judged.success) return { ok: true, frame: judged.data };
  const issue = judged.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  return {
    ok: false,
    fault: { code: 'FRAME_INVALID', field, message: `${field || 'frame'}: ${issue?.message ?? 'not valid'}` },
  };
}
