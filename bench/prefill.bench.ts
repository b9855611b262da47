/**
 * Prompt speed of the engine: `batch` prompts at once, one token asked for each.
 * tokens_per_s counts prompt tokens until the last first token; the latencies are times to the
 * first token.
 */

import { createEngine } from '../src/engine/index.ts'
import {
  alternate,
  randomPrompts,
  reportRows,
  timeEvents,
  type BenchOptions,
  type BenchRow,
} from './measure.ts'

export interface PrefillBenchOptions extends BenchOptions {
  /** Prompts at once. */
  batches?: readonly number[]
  /** By default 512, or what the context holds. */
  promptTokens?: number
}

/** Measures; reports one row per batch size and returns them all. */
export async function runPrefillBench(options: PrefillBenchOptions): Promise<BenchRow[]> {
  const { batches = [1, 4], modelDir, threads, device, rounds = 5, seed = 1 } = options
  const engine = await createEngine({ modelDir, threads, device, slots: Math.max(...batches) })
  try {
    const promptTokens = options.promptTokens ?? Math.min(512, engine.contextLength)
    const results = await alternate(batches, rounds, async (batch, round) => {
      const size = { count: batch, tokens: promptTokens, seed: seed + round * 1000 + batch }
      const prompts = randomPrompts(engine, size)
      const start = performance.now()
      const streams = prompts.map((tokens) =>
        timeEvents(engine.generate({ tokens, maxTokens: 1, temperature: 0, stopTokens: [] })),
      )
      const latenciesMs = (await Promise.all(streams)).map((times) => times[0]! - start)
      const seconds = Math.max(...latenciesMs) / 1000
      return { tokensPerSecond: [(batch * promptTokens) / seconds], latenciesMs }
    })
    return reportRows('prefill', options, results)
  } finally {
    await engine.dispose()
  }
}
