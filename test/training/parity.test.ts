/**
 * Training against an independent trainer (transformers, PEFT, PyTorch's AdamW): losses and gradient
 * norms of eight steps, all weights and LoRA, and the logits of the adapter that comes out. The issue
 * asks for 1e-3; float32 in another order of sums gives 1e-6 on norms of about 10 (six digits are
 * published), so 1e-5 here.
 */
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { architectureOf, openModel } from '../../src/arch/index.ts'
import { readAdapter } from '../../src/training/adapter.ts'
import type { TokenRow } from '../../src/training/feeds.ts'
import { checkpointParams } from '../../src/training/initial-state.ts'
import { mergeLora } from '../../src/training/merge-lora.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { openDecoder } from '../fixtures/run-decode.ts'
import { tokenRows, train } from '../fixtures/train-tiny.ts'

const dir = fileURLToPath(new URL('../../../shared/fixtures/hf/llama-tied', import.meta.url))
const skip = existsSync(dir) ? false : 'the llama-tied checkpoint is not here'

interface Steps {
  readonly lr: number
  readonly weight_decay: number
  readonly loss: number[]
  readonly grad_norm: number[]
}
interface Expected {
  readonly tokens: number[]
  readonly train: {
    readonly rows: number[][][]
    readonly first_loss_token: number[][]
    readonly full: Steps
    readonly lora: Steps & { readonly logits_after_at_39: number[] }
  }
}

const read = () => JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected

function rowsOf({ train: { rows, first_loss_token: firsts } }: Expected): TokenRow[] {
  return rows.flatMap((step, s) =>
    step.map((tokens, r) => ({
      tokens,
      lossMask: Uint8Array.from(tokens, (_, j) => Number(j >= firsts[s]![r]!)),
    })),
  )
}

const hyperOf = ({ lr, weight_decay: weightDecay }: Steps) => ({
  maxSteps: 8,
  batchSize: 4,
  maxTokens: 256,
  lr,
  weightDecay,
})

for (const accumulate of [1, 2]) {
  t.test(
    `all weights, ${accumulate} micro-batch(es): eight losses and norms`,
    { skip },
    async (t) => {
      const expected = read()
      const { full } = expected.train
      const base = await openModel(dir)
      t.teardown(() => base.checkpoint.close())
      const { losses, gradNorms } = await train({
        base,
        rows: tokenRows(rowsOf(expected)),
        hyper: { ...hyperOf(full), accumulate },
        workDir: join(t.testdir(), 'work'),
      })
      t.equal(losses.length, 8)
      t.ok(largestDifference(losses, full.loss) < 1e-5, `losses ${losses}`)
      t.ok(largestDifference(gradNorms, full.grad_norm) < 1e-5, `norms ${gradNorms}`)
    },
  )
}

t.test('LoRA: eight losses and norms, the adapter, and its logits merged', { skip }, async (t) => {
  const expected = read()
  const { lora } = expected.train
  const base = await openModel(dir)
  const init = await readAdapter(join(dir, 'lora-init'))
  t.match(
    { rank: init.rank, alpha: init.alpha, targets: init.targets.size },
    {
      rank: 4,
      alpha: 8,
      targets: 3 * 7,
    },
  )
  const { losses, gradNorms, adapter } = await train({
    base,
    rows: tokenRows(rowsOf(expected)),
    hyper: hyperOf(lora),
    lora: { rank: init.rank, alpha: init.alpha, init },
    workDir: join(t.testdir(), 'work'),
  })
  t.ok(largestDifference(losses, lora.loss) < 1e-5, `losses ${losses}`)
  t.ok(largestDifference(gradNorms, lora.grad_norm) < 1e-5, `norms ${gradNorms}`)

  const trained = await readAdapter(join(dir, 'lora-trained'))
  t.same([...adapter!.tensors.keys()].sort(), [...trained.tensors.keys()].sort())
  for (const [name, data] of trained.tensors) {
    const difference = largestDifference(adapter!.tensors.get(name)!, data)
    if (difference > 1e-4) t.fail(`${name}: largest difference ${difference}`)
  }

  const architecture = architectureOf(base.config)
  const tensors = await checkpointParams(base.checkpoint, architecture, base.config)
  await base.checkpoint.close()
  mergeLora(tensors, adapter!)
  const merged = t.testdir({ model: {} })
  const shapes = architecture.weights(base.config)
  copyFileSync(join(dir, 'config.json'), join(merged, 'config.json'))
  await writeSafetensors(
    join(merged, 'model.safetensors'),
    [...tensors].map(([name, data]) => ({ name, dtype: 'F32', shape: shapes.get(name)!, data })),
  )
  const decoder = await openDecoder(merged, 1, 64)
  const logits = await decoder.feed([expected.tokens], [40], [39])
  decoder.dispose()
  const wanted = lora.logits_after_at_39
  const difference = largestDifference(logits.subarray(0, wanted.length), wanted)
  t.ok(difference < 1e-4, `largest difference ${difference}`)
})
