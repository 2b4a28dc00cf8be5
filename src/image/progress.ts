/** What a pull tells while it works; one shape for bars, lines and APIs. */

export type ProgressEvent = {
  readonly kind: 'download' | 'unpack';
  /** Of the layer as it is stored: its blob. */
  readonly digest: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
};

export type Progress = (event: ProgressEvent) => void;
