/**
 * Decoding speed of the engine, scheduler and sampler included: `batch` greedy streams at once.
 * tokens_per_s counts all streams, from the moment the last of them has its first token until the
 * first of them ends; the latencies are the times between two tokens of one stream.
 */

import { createEngine } from '../src/engine/index.ts'
import { fail } from '../src/errors.ts'
import {
  alternate,
  randomPrompts,
  reportRows,
  timeEvents,
  type BenchOptions,
  type BenchRow,
  type Samples,
} from './measure.ts'

export interface DecodeBenchOptions extends BenchOptions {
  /** Streams at once. */
  batches?: readonly number[]
  promptTokens?: number
  newTokens?: number
}

/** Rates and gaps from the token times of the streams of one round. */
export function decodeSamples(streams: readonly (readonly number[])[]): Samples {
  const from = Math.max(...streams.map((times) => times[0]!))
  const to = Math.min(...streams.map((times) => times.at(-1)!))
  const inside = streams.flat().filter((time) => time > from && time <= to).length
  return {
    tokensPerSecond: [(inside * 1000) / (to - from)],
    latenciesMs: streams.flatMap((times) => times.slice(1).map((time, i) => time - times[i]!)),
  }
}

/** Measures; reports one row per batch size and returns them all. */
export async function runDecodeBench(options: DecodeBenchOptions): Promise<BenchRow[]> {
  const { batches = [1, 2, 4, 8], promptTokens = 64, newTokens = 64 } = options
  const { modelDir, threads, device, rounds = 5, seed = 1 } = options
  const slots = Math.max(...batches)
  const engine = await createEngine({ modelDir, threads, device, slots })
  try {
    if (promptTokens + newTokens > engine.contextLength) {
      const asked = `${promptTokens} + ${newTokens} tokens`
      fail('CONTEXT_TOO_LONG', `the bench runs ${asked}, the context holds ${engine.contextLength}`)
    }
    const results = await alternate(batches, rounds, async (batch, round) => {
      const size = { count: batch, tokens: promptTokens, seed: seed + round * 1000 + batch }
      const streams = randomPrompts(engine, size).map((tokens) =>
        timeEvents(
          engine.generate({
            tokens,
            maxTokens: newTokens,
            temperature: 0,
            stopTokens: [],
            ignoreStop: true,
          }),
        ),
      )
      return decodeSamples(await Promise.all(streams))
    })
    return reportRows('decode', options, results)
  } finally {
    await engine.dispose()
  }
}
