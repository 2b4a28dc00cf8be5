/** The tag of a container's log lines: docker's template over its name, id and image. Pure. */

export type TagFacts = { readonly id: string; readonly name: string; readonly image: string; readonly imageId: string | undefined };

/** Fields that are not known stay as they were typed. */
export function expandTag(template: string, { id, name, image, imageId = '' }: TagFacts): string {
  const hex = imageId.replace(/^sha256:/, '');
  const fields: Readonly<Record<string, string>> = {
    ID: id.slice(0, 12),
    FullID: id,
    Name: name,
    ImageName: image,
    ImageID: hex.slice(0, 12),
    ImageFullID: imageId,
    DaemonName: 'rootless',
  };
  return template.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (typed, field: string) => fields[field] ?? typed);
}
