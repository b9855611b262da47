/**
 * One run of a model over its key/value cache, as the scheduler sees it. `OrtModelStep` runs the
 * decode graph; tests put a deterministic function here and so check all bookkeeping exactly.
 *
 * A slot is one row of the cache: position p of slot s holds what token p of that row left there.
 * Running tokens at positions [start, start + n) overwrites them and reads all before them.
 */

export interface PrefillInput {
  slot: number
  /** New tokens, S ≥ 1. */
  tokens: readonly number[]
  /** Position of the first; everything before it must be in the cache. */
  start: number
  /** Which of the S tokens' logits are wanted, ascending, P ≥ 1. */
  logitPositions: readonly number[]
  /** The adapter's number; 0 or absent: none. */
  adapter?: number
}

export interface DecodeInput {
  /** The run covers slots first, first + 1, … , first + tokens.length − 1. */
  first: number
  /** One token per row. */
  tokens: readonly number[]
  /** Where each row writes its token, and up to where it reads: any row that only fills the gap
   * between active ones must write at its own first free position, where nothing is lost. */
  positions: readonly number[]
  /** The adapter of each row; 0: none. Absent: none in any row. */
  adapters?: readonly number[]
}

export interface ModelStep {
  readonly slots: number
  /** Positions of one slot. */
  readonly contextLength: number
  /** Slots that one decode run can cover; absent: all. */
  readonly maxRows?: number
  readonly vocabSize: number
  /** Logits [P, V], valid until the next call. */
  prefill(input: PrefillInput): Promise<Float32Array>
  /** Logits [rows, V], valid until the next call. */
  decode(input: DecodeInput): Promise<Float32Array>
  /** Copies positions [0, count) of one slot to another. */
  copyPrefix(from: number, to: number, count: number): void
  /** Numbers that keep one token's keys and values, all layers. */
  readonly floatsPerToken: number
  /** Copies keys and values of positions start … out of a slot, as many as `into` takes. */
  readCache(slot: number, start: number, into: Float32Array): void
  /** Puts back what `readCache` took out. */
  writeCache(slot: number, start: number, from: Float32Array): void
  /** Releases everything; no call may be in flight. */
  dispose(): void
}

/** Consecutive slots that one decode run covers. */
export interface DecodeRun {
  first: number
  count: number
}

/**
 * A run costs about as much as this many extra rows (135 M parameters, 2 cores: 6.7 ms for one
 * row, 1.8 ms for each more), so a gap of idle slots up to it is cheaper to fill than to skip.
 */
const RUN_COST_ROWS = 2

/** Covers `activeSlots` (ascending) with few, short runs, none over more than `maxRows` slots. */
export function planDecodeRuns(activeSlots: readonly number[], maxRows = Infinity): DecodeRun[] {
  const runs: DecodeRun[] = []
  for (const slot of activeSlots) {
    const last = runs.at(-1)
    const isNear = last && slot - (last.first + last.count) <= RUN_COST_ROWS
    if (isNear && slot - last.first < maxRows) {
      last.count = slot - last.first + 1
    } else {
      runs.push({ first: slot, count: 1 })
    }
  }
  return runs
}
