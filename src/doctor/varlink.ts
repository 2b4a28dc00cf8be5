/** varlink (varlink.org), as much as is needed to ask a service who it is. */

import { connect } from 'node:net';

/** Bytes of an answer; the longest that is asked for has a few hundred. */
const largest = 1 << 16;

export type VarlinkAnswer = { readonly error?: string; readonly parameters?: Readonly<Record<string, unknown>> };

/** One call without parameters (varlink.org): JSON that ends with a NUL, both ways; undefined when nobody answers, or something else does. */
export function callVarlink(path: string, method: string, patience: number): Promise<VarlinkAnswer | undefined> {
  return new Promise((resolve) => {
    const wire = connect(path);
    let text = '';
    const end = (answer: VarlinkAnswer | undefined) => {
      wire.destroy();
      resolve(answer);
    };
    wire.setEncoding('utf8');
    wire.setTimeout(patience, () => end(undefined));
    wire.once('connect', () => wire.write(`${JSON.stringify({ method, parameters: {} })}\0`));
    wire.on('data', (chunk: string) => {
      text += chunk;
      const whole = text.indexOf('\0');
      if (whole >= 0) end(parseAnswer(text.slice(0, whole)));
      else if (text.length > largest) end(undefined);
    });
    wire.once('error', () => end(undefined));
    wire.once('close', () => end(undefined));
  });
}

export function parseAnswer(text: string): VarlinkAnswer | undefined {
  try {
    const { error, parameters } = JSON.parse(text) as { readonly error?: unknown; readonly parameters?: unknown };
    return {
      ...(typeof error === 'string' ? { error } : {}),
      ...(typeof parameters === 'object' && parameters !== null ? { parameters: parameters as Record<string, unknown> } : {}),
    };
  } catch {
    return undefined;
  }
}
