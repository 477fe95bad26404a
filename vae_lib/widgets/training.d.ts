// What the page and the worker of train_vae.js say to one another.

import type { Pair } from "./types.d.ts";

export interface Settings {
  beta: number;
  prior: boolean;
  seed: number;
}

/** An epoch: both terms, averaged, in training and held out; codes, copies and draws. */
export interface Report {
  epoch: number;
  trained: Pair | null; // none before training
  held: Pair;
  codes: Float32Array;
  copies: Uint8Array;
  draws: Uint8Array;
}
