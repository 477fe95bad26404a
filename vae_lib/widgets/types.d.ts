// Types that the figures share, for the type checker alone: no part of what is sent or shipped.

/** What a figure may use of its model. T holds the traits, by name. */
export interface Model<T> {
  get<K extends keyof T>(name: K): T[K];
  set<K extends keyof T>(name: K, value: T[K]): void;
  on(event: `change:${keyof T & string}`, heard: () => void): void;
  off(event: `change:${keyof T & string}`, heard: () => void): void;
  save_changes(): void;
}

export interface Context<T> {
  model: Model<T>;
  el: HTMLElement;
}

/** Draws a figure, and gives what is to be called when its view goes. */
export type Render<T> = (context: Context<T>) => () => void;

/** What a trait that the reader moves may be, as a link to a setting writes it: see foot.js. */
export type Kind =
  | { whole: Pair } // from … to
  | { number: Pair; step?: number }
  | { flag: true }
  | { oneOf: (string | number)[] }
  | { numbers: Pair[] } // a list, each from … to
  | { points: Record<string, Pair[]> } // such lists by their names
  | { ink: number }; // so many bytes of grey, written as black and white

export type Movable<T> = Partial<Record<keyof T & string, Kind>>;

/** What a view must undo when it goes: see cleanups. */
export interface Undo {
  add(task: () => void): void;
  run(): void;
}

/** Work that is done at most once a frame: see frame. */
export interface Framed {
  (): void;
  now(): void;
  cancel(): void;
}

/** A binary trait; Python's bytes arrive as a DataView. */
export type Binary = ArrayBuffer | ArrayBufferView;

export type Values = ArrayLike<number>;
export type Pair = [number, number];
export type Box = [number, number, number, number]; // xMin, xMax, yMin, yMax

// ---- elements ------------------------------------------------------------------------------

export type Child = Node | string;
type Attribute = string | number | boolean | null | undefined;

/** Attributes of an element; what begins with "on" is heard as an event. */
export type Attributes = Record<string, Attribute | ((event: any) => void)>;

/** A piece of a figure that is written anew when the model changes. */
export interface Readings<K extends string> {
  root: HTMLElement;
  show(texts: Partial<Record<K, string>>): void;
}

export interface Slider {
  root: HTMLElement;
  input: HTMLInputElement;
  set(value: number): void;
}

export interface Announcer {
  root: HTMLElement;
  say(text: string): void;
}

export interface Tile {
  canvas: HTMLCanvasElement;
  paint(values: Values, map?: (value: number) => number): void;
  describe(text: string): void;
}

// ---- painting ------------------------------------------------------------------------------

export type Canvas = CanvasRenderingContext2D;
export type ToPixels = (point: Values) => Pair;

/** Paints the background of a plane that is `size` pixels wide and high. */
export type Paint = (context: Canvas, toPixels: ToPixels, size: number) => void;

// ---- networks ------------------------------------------------------------------------------

type Activation = "silu" | "relu" | "tanh" | "sigmoid" | "identity";

/** A network's layers as _weights.py describes them. */
export type Spec = ({ kind: "linear"; inputs: number; outputs: number } | { kind: Activation })[];

/** The same with its numbers, as readMlp gives them. */
export type Layer =
  | { weight: Float32Array; bias: Float32Array; output: Float32Array }
  | { activation: (value: number) => number };

/** Gives a random number at each call. */
export type Draws = () => number;
