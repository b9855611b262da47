/**
 * The sampler alone: microseconds to draw one token, by vocabulary and settings. The logits are bell-shaped with a few
 * likely tokens on top, as those of a trained model. batch is the vocabulary; p50_ms and p95_ms are of one token.
 */
import { createRandom } from '../src/engine/random.ts'
import { Sampler, SamplerState, type SamplingOptions } from '../src/engine/sampler.ts'
import { percentile, printRow, rounded, type BenchOptions, type BenchRow } from './measure.ts'

/** The model is of no matter. */
export interface SamplerBenchOptions extends Partial<BenchOptions> {
  vocabularies?: readonly number[]
  /** Tokens drawn of each kind; a tenth of them goes before as warm-up. */
  draws?: number
}

const settings: Readonly<Record<string, SamplingOptions>> = {
  greedy: { temperature: 0 },
  temperature: { temperature: 0.8, seed: 1 },
  'top-k': { temperature: 0.8, topK: 40, seed: 1 },
  'top-p': { temperature: 0.8, topP: 0.95, seed: 1 },
  'min-p': { temperature: 0.8, minP: 0.05, seed: 1 },
  'top-k top-p penalties': { temperature: 0.8, topK: 40, topP: 0.95, repetitionPenalty: 1.1, frequencyPenalty: 0.2, seed: 1 }, // prettier-ignore
}

/** Measures; reports one row per vocabulary and settings. */
export async function runSamplerBench(options: SamplerBenchOptions): Promise<BenchRow[]> {
  const { vocabularies = [49_152, 151_936], draws = 400, report = printRow } = options
  return vocabularies.flatMap((vocabulary) =>
    Object.entries(settings).map(([name, sampling]) => {
      const times = timeDraws(vocabulary, sampling, draws)
      const row: BenchRow = {
        bench: 'sampler',
        model: name,
        batch: vocabulary,
        tokens_per_s: rounded(1000 / percentile(times, 0.5)),
        p50_ms: rounded(percentile(times, 0.5)),
        p95_ms: rounded(percentile(times, 0.95)),
      }
      report(row)
      return row
    }),
  )
}

function timeDraws(vocabulary: number, sampling: SamplingOptions, draws: number): number[] {
  const rows = Array.from({ length: 8 }, (_, seed) => bellLogits(vocabulary, seed))
  const sampler = new Sampler(vocabulary)
  const state = new SamplerState(sampling, [1, 2, 3], vocabulary)
  const times: number[] = []
  for (let i = -draws / 10; i < draws; i += 1) {
    const started = performance.now()
    sampler.sample(rows[(i + draws) % rows.length]!, state)
    if (i >= 0) times.push(performance.now() - started)
  }
  return times
}

function bellLogits(vocabulary: number, seed: number): Float32Array {
  const random = createRandom(seed)
  const bell = (): number => {
    let sum = 0
    for (let i = 0; i < 6; i += 1) sum += random()
    return (sum - 3) * 3
  }
  const logits = Float32Array.from({ length: vocabulary }, bell)
  for (let i = 0; i < 20; i += 1) logits[Math.floor(random() * vocabulary)] = 8 + 6 * random()
  return logits
}
