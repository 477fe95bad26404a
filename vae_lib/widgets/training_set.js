// What an epoch of train_vae.js goes through: the book's digits, the reader's drawings, or both. The
// page, which says so, and the worker, which does so, both reckon with this.

/** @import { Source } from "./training.d.ts" */

export const TRAIN = 4000; // digits of the book, and about as many steps in every epoch
export const MOST_TIMES = 50; // that a drawing may count beside the book's digits

// How many of the book's digits an epoch has, how often each of `count` drawings comes in it, and
// how many digits that makes. Drawings that are alone come so often that the epoch is as long as
// the book's.
/** @type {(source: Source, times: number, count: number) => { book: number, each: number, all: number }} */
export function epochOf(source, times, count) {
  const book = source === "mine" ? 0 : TRAIN;
  const each = { book: 0, both: times, mine: Math.round(TRAIN / Math.max(count, 1)) }[source];
  return { book, each, all: book + each * count };
}
