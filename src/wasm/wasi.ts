/** Runs a wasip1 program on bytes, with nothing but its standard streams: for any JavaScript host, browsers too. */

/// <reference path="./webassembly.d.ts" />

import { Fd, WASI, wasi } from '@bjorn3/browser_wasi_shim';

export type SandboxResult = {
  /** The program's exit code; 134 when it trapped, as after abort(3). */
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
};

const trapped = 134;

/**
 * Runs a compiled program to its end. It has no files, no environment, no clock but the host's, no network.
 * @param args printable ASCII without the program's name; everything else belongs on stdin
 */
export function runWasi(module: WebAssembly.Module, args: readonly string[], stdin: Uint8Array): SandboxResult {
  for (const arg of args) requireAscii(arg);
  const stdout = new OutputFd();
  const stderr = new OutputFd();
  const host = new WASI(['rootless-helper', ...args], [], [new InputFd(stdin), stdout, stderr], { debug: false });
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: host.wasiImport });
  const code = run(host, instance as Parameters<WASI['start']>[0], stderr);
  return { code, stdout: stdout.bytes(), stderr: stderr.bytes() };
}

/** A trap is the program's end, not the host's: hostile bytes may cause one. */
function run(host: WASI, instance: Parameters<WASI['start']>[0], stderr: OutputFd): number {
  try {
    return host.start(instance);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) throw error;
    stderr.fd_write(new TextEncoder().encode(`rootless-helper: ${error.message}\n`));
    return trapped;
  }
}

/** The shim counts characters where it then writes bytes, so others would overrun the guest's buffer. */
function requireAscii(arg: string): void {
  if (!/^[\x20-\x7e]*$/.test(arg)) throw new RangeError(`an argument for the sandbox is not ASCII: ${JSON.stringify(arg)}`);
}

/** Reads from bytes without copying all of them. */
class InputFd extends Fd {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
  }

  override fd_fdstat_get() {
    return { ret: wasi.ERRNO_SUCCESS, fdstat: new wasi.Fdstat(wasi.FILETYPE_CHARACTER_DEVICE, 0) };
  }

  override fd_read(size: number) {
    const data = this.#bytes.subarray(this.#position, this.#position + size);
    this.#position += data.length;
    return { ret: wasi.ERRNO_SUCCESS, data };
  }
}

/** Collects chunks: appending to the shim's own files copies all that came before. */
class OutputFd extends Fd {
  readonly #chunks: Uint8Array[] = [];

  override fd_fdstat_get() {
    return { ret: wasi.ERRNO_SUCCESS, fdstat: new wasi.Fdstat(wasi.FILETYPE_CHARACTER_DEVICE, 0) };
  }

  override fd_write(data: Uint8Array) {
    this.#chunks.push(data.slice());
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.length };
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let position = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, position);
      position += chunk.length;
    }
    return all;
  }
}
