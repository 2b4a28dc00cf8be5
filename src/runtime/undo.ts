/** What was made and must not outlive a failure: undone in reverse order. */

export type Undo = {
  /** Registers how to take back what was just made; the answer takes it off the list. */
  readonly add: (take: () => void | Promise<void>) => void;
  /** Everything is meant to stay. */
  readonly keep: () => void;
  readonly run: () => Promise<void>;
};

export function newUndo(): Undo {
  let steps: (() => void | Promise<void>)[] = [];
  return {
    add: (take) => void steps.push(take),
    keep: () => {
      steps = [];
    },
    run: async () => {
      for (const step of steps.splice(0).reverse()) {
        try {
          await step();
        } catch {
          // A step that fails must not stop the others; what it left behind is swept by a later run.
        }
      }
    },
  };
}
