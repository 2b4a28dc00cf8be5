/** What a pull or a push tells while it works; one shape for bars, lines and APIs. */

export type ProgressEvent = {
  readonly kind: 'download' | 'copy' | 'unpack' | 'compress' | 'upload';
  /** Of the layer as it is stored: its blob. */
  readonly digest: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
  /** The last word on it, in docker's words: `Pushed`, `Layer already exists`, `Mounted from NAME`. */
  readonly note?: string;
};

export type Progress = (event: ProgressEvent) => void;
