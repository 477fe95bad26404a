// What the page and the worker of train_vae.js say to one another.

import type { Pair } from "./types.d.ts";

/** What is trained on: the book's digits, those and the reader's drawings, or the drawings alone. */
export type Source = "book" | "both" | "mine";

export interface Settings {
  beta: number;
  prior: boolean;
  seed: number;
  source: Source;
  times: number; // that each drawing counts beside the book's digits
}

/** The reader's drawings: a number for each, and 196 levels of grey, 0 to 15. */
export interface Drawings {
  ids: number[];
  greys: Uint8Array;
}

/** What the networks of an epoch make of the drawings: their codes and their copies. */
export interface Look {
  ids: number[];
  codes: Float32Array;
  copies: Uint8Array;
}

/** An epoch: both terms, averaged, in training and held out; codes, copies and draws. */
export interface Report {
  epoch: number;
  trained: Pair | null; // none before training
  held: Pair;
  codes: Float32Array;
  copies: Uint8Array;
  draws: Uint8Array;
  look: Look;
}

/** With settings, a run begins; with drawings alone, they are looked at; with neither, it trains on. */
export interface Message {
  bytes?: Uint8Array; // the book's digits, with the first
  settings?: Settings;
  drawings?: Drawings;
}
