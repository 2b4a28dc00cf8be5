/** `rootless quadlet rm`. */

export { quadletRm as default } from './quadlet.ts';
