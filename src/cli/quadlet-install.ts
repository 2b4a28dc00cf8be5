/** `rootless quadlet install`. */

export { quadletInstall as default } from './quadlet.ts';
