/** `rootless quadlet ls`. */

export { quadletLs as default } from './quadlet.ts';
