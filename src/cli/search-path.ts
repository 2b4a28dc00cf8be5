/** The absolute folders of PATH: where newuidmap, pasta and fuse-overlayfs are looked for. */

export function searchPath(env: NodeJS.ProcessEnv): readonly string[] {
  return (env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
}
