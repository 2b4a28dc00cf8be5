/** `rootless quadlet print`. */

export { quadletPrint as default } from './quadlet.ts';
