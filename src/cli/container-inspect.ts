/** `rootless container inspect`: containers only, whatever else has the name. */

export { containerInspect as default } from './inspect.ts';
