import type { z } from 'zod';
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
  return decode(text, agentFrameSchema);
}

export function decodeDaemonFrame(text: string): Decoded<DaemonFrame> {
  return decode(text, daemonFrameSchema);
}

export function encodeFrame(frame: AgentFrame | DaemonFrame): string {
  return JSON.stringify(frame);
}

function decode<T>(text: string, schema: z.ZodType<T>): Decoded<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = `the frame is not JSON (${(error as Error).message}); send one JSON object per message`;
    return { ok: false, fault: { code: 'FRAME_NOT_JSON', field: '', message } };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, frame: parsed.data };
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  return {
    ok: false,
    fault: { code: 'FRAME_INVALID', field, message: `${field || 'frame'}: ${issue?.message ?? 'not valid'}` },
  };
}
