/** What the benchmarks share: rows, percentiles, seeded prompts, reading a stream with times. */

import type { Device } from '../schemas/device.ts'
import { basename } from 'node:path'
import type { Engine, EngineEvent } from '../src/engine/index.ts'
import { createRandom } from '../src/engine/random.ts'

/** One result, as one JSON line. */
export interface BenchRow {
  bench: string
  model: string
  batch: number
  /** Median over the rounds. */
  tokens_per_s: number
  /** Milliseconds of the bench's unit of latency (see each bench). */
  p50_ms: number
  p95_ms: number
}

export interface BenchOptions {
  modelDir: string
  threads?: number
  /** Default `cpu`. */
  device?: Device
  /** Measured rounds; one more goes before as warm-up. */
  rounds?: number
  seed?: number
  /** Receives each finished row; by default it goes to standard output as a JSON line. */
  report?: (row: BenchRow) => void
}

export const printRow = (row: BenchRow): void => {
  process.stdout.write(`${JSON.stringify(row)}\n`)
}

/** The value below which a share of `values` lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const rounded = (value: number): number => Number(value.toPrecision(4))

/** `count` seeded prompts of random ids; no two share a prefix worth caching. */
export function randomPrompts(
  engine: Engine,
  size: { count: number; tokens: number; seed: number },
): number[][] {
  const random = createRandom(size.seed)
  const token = (): number => Math.floor(random() * engine.config.vocabSize)
  return Array.from({ length: size.count }, () => Array.from({ length: size.tokens }, token))
}

/** Milliseconds at which each event of a stream was read. */
export async function timeEvents(stream: AsyncIterable<EngineEvent>): Promise<number[]> {
  const times: number[] = []
  for await (const event of stream) if (event.type === 'token') times.push(performance.now())
  return times
}

export const modelName = (modelDir: string): string => basename(modelDir)

/** Rates and latencies of every round of one batch size. */
export interface Samples {
  tokensPerSecond: number[]
  latenciesMs: number[]
}

/**
 * Runs `measure` for every batch size in turn, round after round, so that a slow spell of the
 * machine falls on all sizes alike. The first round is the warm-up and is not counted.
 */
export async function alternate(
  batches: readonly number[],
  rounds: number,
  measure: (batch: number, round: number) => Promise<Samples>,
): Promise<Map<number, Samples>> {
  const results = new Map<number, Samples>(
    batches.map((batch) => [batch, { tokensPerSecond: [], latenciesMs: [] }]),
  )
  for (let round = 0; round <= rounds; round += 1) {
    for (const batch of batches) {
      const samples = await measure(batch, round)
      if (round === 0) continue
      results.get(batch)!.tokensPerSecond.push(...samples.tokensPerSecond)
      results.get(batch)!.latenciesMs.push(...samples.latenciesMs)
    }
  }
  return results
}

/** Medians and percentiles as rows, each handed to `report`. */
export function reportRows(
  bench: string,
  options: BenchOptions,
  results: ReadonlyMap<number, Samples>,
): BenchRow[] {
  return [...results].map(([batch, { tokensPerSecond, latenciesMs }]) => {
    const row: BenchRow = {
      bench,
      model: modelName(options.modelDir),
      batch,
      tokens_per_s: rounded(percentile(tokensPerSecond, 0.5)),
      p50_ms: rounded(percentile(latenciesMs, 0.5)),
      p95_ms: rounded(percentile(latenciesMs, 0.95)),
    }
    ;(options.report ?? printRow)(row)
    return row
  })
}
