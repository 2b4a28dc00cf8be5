/** slirp4netns(1): the older way, where there is no pasta. Which options it gets. Pure. */

export const slirpForwarder = '10.0.2.3';

/** Writes to fd 3 when it serves. The host's loopback stays out of reach. */
export function slirpArgs(program: string): string[] {
  return [
    program,
    '--configure',
    '--mtu=65520',
    '--disable-host-loopback',
    '--enable-sandbox',
    '--enable-seccomp',
    '--ready-fd=3',
    '--userns-path=/proc/{pid}/ns/user',
    '{pid}',
    'tap0',
  ];
}
