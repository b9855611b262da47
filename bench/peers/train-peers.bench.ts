/**
 * Training side by side with PyTorch, transformers and PEFT, in one run on the same random weights and rows: whole
 * optimizer steps (forward, loss, backward, clipping, AdamW) with the same threads. The two take turns step by step; a
 * row's ratio is the median of the turns' ratios. Both report their losses, which must agree, and their peak memory.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail } from '../../src/errors.ts'
import { createRandom } from '../../src/util/random.ts'
import { percentile, rounded } from '../measure.ts'
import { startLineProcess, type LineProcess } from './line-process.ts'
import { shapes, writeShape, type ShapeName } from './shapes.ts'
import type { StepAnswer } from './train-process.ts'

export interface TrainPeersOptions {
  readonly home: string
  /** An interpreter with torch, transformers and peft. */
  readonly python: string
  readonly threads?: number
  readonly rounds?: number
}

interface TrainCase {
  readonly shape: ShapeName
  readonly rank: number
  readonly rows: number
}

const rowTokens = 256
const cases: readonly TrainCase[] = [
  { shape: 'llama-7m', rank: 0, rows: 8 },
  { shape: 'smollm2-135m', rank: 8, rows: 2 },
]

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url))

const startOurs = () =>
  startLineProcess('steerlm', process.execPath, [
    '--disable-warning=ExperimentalWarning',
    beside('train-process.ts'),
  ])

const startTheirs = (python: string) =>
  startLineProcess(`--python ${python}`, python, [beside('pytorch_process.py')])

/** Fails where one side trains something else. Adapters start differently, so their later losses may part. */
function checkSame(ours: StepAnswer, theirs: StepAnswer): void {
  const difference = Math.abs(ours.loss - theirs.loss) / theirs.loss
  if (difference > 0.01)
    fail('INTERNAL', `internal: the losses differ: ${ours.loss} here, ${theirs.loss} in PyTorch`)
}

async function measure(
  { shape, rank, rows }: TrainCase,
  { ours, theirs }: { readonly ours: LineProcess; readonly theirs: LineProcess },
  rounds: number,
) {
  const random = createRandom(1)
  const token = () => random.int(shapes[shape].vocab_size)
  const turns: (readonly [ours: number, theirs: number])[] = []
  for (let round = -1; round < rounds; round++) {
    const batch = Array.from({ length: rows }, () => Array.from({ length: rowTokens + 1 }, token))
    const here = await ours.ask<StepAnswer>({ op: 'step', rows: batch })
    const there = await theirs.ask<StepAnswer>({ op: 'step', rows: batch })
    checkSame(here, there)
    const rate = ({ ms }: StepAnswer) => (rows * rowTokens * 1000) / ms
    if (round >= 0) turns.push([rate(here), rate(there)]) // the first is the warm-up
  }
  const peak = async (side: LineProcess) =>
    Math.round((await side.ask<{ bytes: number }>({ op: 'peak' })).bytes / 1e6)
  const median = (values: readonly number[]) => rounded(percentile(values, 0.5))
  return {
    bench: 'train --peers',
    shape,
    trains: rank > 0 ? `LoRA r=${rank}` : 'all weights',
    batch: `${rows}x${rowTokens}`,
    steerlm_tokens_per_s: median(turns.map(([mine]) => mine)),
    pytorch_tokens_per_s: median(turns.map(([, other]) => other)),
    ratio: median(turns.map(([mine, other]) => mine / other)),
    steerlm_peak_mb: await peak(ours),
    pytorch_peak_mb: await peak(theirs),
  }
}

/** One JSON line a case. Throws BAD_ARGUMENT where the interpreter or a package is missing. */
export async function runTrainPeersBench(options: TrainPeersOptions): Promise<void> {
  const { home, python, rounds = 5, threads = availableParallelism() } = options
  for (const one of cases) {
    const dir = join(home, 'bench', one.shape)
    const sides = { ours: startOurs(), theirs: startTheirs(python) }
    try {
      await sides.theirs.ask({ op: 'peak' }) // a missing package ends it here, before anything is written
      await writeShape(one.shape, dir)
      const request = { op: 'load', dir, rank: one.rank, alpha: 16, threads, rowTokens }
      const versions = await sides.theirs.ask<object>(request)
      const { parameters } = await sides.ours.ask<{ parameters: number }>(request)
      if (parameters !== (versions as { parameters: number }).parameters)
        fail('INTERNAL', 'internal: the two sides train different numbers of weights')
      const row = await measure(one, sides, rounds)
      process.stdout.write(`${JSON.stringify({ ...row, ...versions })}\n`)
    } finally {
      sides.ours.close()
      sides.theirs.close()
    }
  }
}
