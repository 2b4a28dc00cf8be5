/** Content digests (image-spec, descriptor.md "Digests"), and checking bytes against them. */

import { RootlessError } from '../errors.ts';

export type Digest = `sha256:${string}` | `sha512:${string}`;

/** What a piece of content must be. */
export type Expected = { readonly digest: Digest; readonly size: number };

/** The digest, or undefined when the text is not a registered algorithm with its exact number of lower-case hex digits. */
export function parseDigest(text: string): Digest | undefined {
  return /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text) ? (text as Digest) : undefined;
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

export function algorithmOf(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

export function digestOf(bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): Digest {
  return `${algorithm}:${crypto().createHash(algorithm).update(bytes).digest('hex')}`;
}

/** @throws RootlessError SIZE_MISMATCH, DIGEST_MISMATCH */
export function checkBytes(bytes: Uint8Array, expected: Expected): void {
  if (bytes.length !== expected.size) throw sizeMismatch(expected, `has ${bytes.length} bytes`);
  const found = digestOf(bytes, algorithmOf(expected.digest));
  if (found !== expected.digest) throw digestMismatch(expected.digest, found);
}

/**
 * Passes chunks on, and throws instead of ending if size or digest is wrong: whoever reads to the end has the right bytes.
 * @throws RootlessError SIZE_MISMATCH, DIGEST_MISMATCH
 */
export async function* verified(source: AsyncIterable<Uint8Array>, expected: Expected): AsyncGenerator<Uint8Array> {
  const algorithm = algorithmOf(expected.digest);
  const hash = crypto().createHash(algorithm);
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > expected.size) throw sizeMismatch(expected, 'has more');
    hash.update(chunk);
    yield chunk;
  }
  if (size < expected.size) throw sizeMismatch(expected, `has ${size}`);
  const found: Digest = `${algorithm}:${hash.digest('hex')}`;
  if (found !== expected.digest) throw digestMismatch(expected.digest, found);
}

export function sizeMismatch(expected: Expected, found: string): RootlessError {
  return new RootlessError({
    code: 'SIZE_MISMATCH',
    message: `wrong size of ${expected.digest}`,
    why: `its descriptor says ${expected.size} bytes, the content ${found}`,
  });
}

function digestMismatch(expected: Digest, found: Digest): RootlessError {
  return new RootlessError({
    code: 'DIGEST_MISMATCH',
    message: `wrong content for ${expected}`,
    why: `the bytes have the digest ${found}: they were damaged or changed on the way`,
  });
}

/** Loaded on first use: node:crypto costs 4 ms of start-up, and a warm start hashes nothing. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}
