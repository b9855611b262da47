/** Training speed: optimizer steps of all weights on the model's shape, random rows of one length. */
import { readModelConfig } from '../src/arch/index.ts'
import { architectureOf } from '../src/arch/architectures.ts'
import { languageModelFeed } from '../src/training/feeds.ts'
import { freshState, randomParams } from '../src/training/initial-state.ts'
import { TrainSession } from '../src/training/train-session.ts'
import { createRandom } from '../src/util/random.ts'
import { fail } from '../src/errors.ts'
import { alternate, reportRows, type BenchOptions, type BenchRow } from './measure.ts'

export interface TrainBenchOptions extends BenchOptions {
  /** Rows of one step. */
  batches?: readonly number[]
  rowTokens?: number
}

/** Measures; reports one row per batch size and returns them all. */
export async function runTrainBench(options: TrainBenchOptions): Promise<BenchRow[]> {
  const { batches = [8], rowTokens = 256, rounds = 5, seed = 1, threads = 0, device } = options
  const config = await readModelConfig(options.modelDir)
  const architecture = architectureOf(config)
  const random = createRandom(seed)
  const session = await TrainSession.create(
    {
      config,
      architecture,
      objective: { kind: 'lm' },
      trainables: architecture.weights(config),
      frozen: () => (name) => fail('INTERNAL', `internal: ${name} is frozen`),
      maxTokens: rowTokens,
      adam: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clipNorm: 1 },
      weightDecay: 0.1,
      threads,
      device,
      accumulate: 1,
    },
    freshState(randomParams(architecture, config, random)),
  )
  let steps = 0
  const step = async (batch: number) => {
    const rows = Array.from({ length: batch }, () => ({
      tokens: Array.from({ length: rowTokens + 1 }, () => random.int(config.vocabSize)),
      lossMask: new Uint8Array(rowTokens + 1).fill(1),
    }))
    const feed = languageModelFeed(rows, batch * rowTokens)
    const started = performance.now()
    await session.step([feed], { step: ++steps, lr: 1e-4 })
    return performance.now() - started
  }
  try {
    const results = await alternate(batches, rounds, async (batch) => {
      const ms = await step(batch)
      return { tokensPerSecond: [(batch * rowTokens * 1000) / ms], latenciesMs: [ms] }
    })
    return reportRows('train', options, results)
  } finally {
    session.dispose()
  }
}
