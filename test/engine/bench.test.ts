import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { decodeSamples, runDecodeBench } from '../../bench/decode.bench.ts'
import { percentile, type BenchRow } from '../../bench/measure.ts'
import { runPrefillBench } from '../../bench/prefill.bench.ts'
import { runSamplerBench } from '../../bench/sampler.bench.ts'
import { runPrefixBench } from '../../bench/prefix.bench.ts'

const modelDir = fileURLToPath(new URL('../../../shared/data/stories260K/hf', import.meta.url))
const skip = existsSync(modelDir) ? false : 'the stories260K checkpoint is not here'

t.test('decode speed counts the tokens while all streams run', async (t) => {
  // From 20 (the second stream's first token) to 50 (the first stream's end): 30, 40, 50 and 35, 50.
  const streams = [
    [10, 30, 40, 50],
    [20, 35, 50, 90],
  ]
  const { tokensPerSecond, latenciesMs } = decodeSamples(streams)
  t.same(tokensPerSecond, [(5 * 1000) / 30])
  t.same(latenciesMs, [20, 10, 10, 15, 15, 40])
})

t.test('percentiles are nearest ranks', async (t) => {
  const values = [5, 1, 4, 2, 3]
  t.equal(percentile(values, 0.5), 3)
  t.equal(percentile(values, 0.95), 5)
  t.equal(percentile([7], 0.05), 7)
})

t.test('the benches report one row per batch size', { skip }, async (t) => {
  const rows: BenchRow[] = []
  const common = { modelDir, rounds: 1, report: (row: BenchRow) => rows.push(row) }
  await runDecodeBench({ ...common, batches: [1, 3], promptTokens: 4, newTokens: 8 })
  await runPrefillBench({ ...common, batches: [2], promptTokens: 8 })
  await runPrefixBench({ ...common, historyTokens: 64 })
  await runSamplerBench({ ...common, vocabularies: [300], draws: 20 })
  t.same(
    rows.map(({ bench, model, batch }) => [bench, model, batch]),
    [
      ['decode', 'hf', 1],
      ['decode', 'hf', 3],
      ['prefill', 'hf', 2],
      ['prefix-cold', 'hf', 1],
      ['prefix-slot', 'hf', 1],
      ['prefix-tree', 'hf', 1],
      ...['greedy', 'temperature', 'top-k', 'top-p', 'min-p', 'top-k top-p penalties'].map(
        (name) => ['sampler', name, 300],
      ),
    ],
  )
  for (const row of rows) {
    t.ok(row.tokens_per_s > 0 && row.p50_ms > 0 && row.p95_ms >= row.p50_ms, JSON.stringify(row))
  }
  await t.rejects(runDecodeBench({ ...common, newTokens: 5000 }), { code: 'CONTEXT_TOO_LONG' })
})
