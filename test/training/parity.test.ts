/**
 * Training against an independent trainer (transformers, PEFT, PyTorch's AdamW): losses and gradient
 * norms of eight steps, all weights and LoRA, and the logits of the adapter that comes out. The issue
 * asks for 1e-3; float32 in another order of sums gives 1e-6 on norms of about 10 (six digits are
 * published), so 1e-5 here.
 */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { architectureOf, openModel } from '../../src/arch/index.ts'
import { readAdapter, type Adapter } from '../../src/weights/peft-adapter.ts'
import type { TokenRow } from '../../src/training/feeds.ts'
import { checkpointParams, linearLayerNames } from '../../src/training/initial-state.ts'
import { mergeLora } from '../../src/training/merge-lora.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import {
  expectedOf,
  folderOf,
  referenceFolders,
  skip,
  type Expected,
  type TrainSteps,
} from '../fixtures/reference-folders.ts'
import { openDecoder } from '../fixtures/run-decode.ts'
import { tokenRows, train } from '../fixtures/train-tiny.ts'

const TOLERANCE = 1e-5

function rowsOf({ train: { rows, first_loss_token: firsts } }: Expected): TokenRow[] {
  return rows.flatMap((step, s) =>
    step.map((tokens, r) => ({
      tokens,
      lossMask: Uint8Array.from(tokens, (_, j) => Number(j >= firsts[s]![r]!)),
    })),
  )
}

const hyperOf = ({ lr, weight_decay: weightDecay }: TrainSteps) => ({
  maxSteps: 8,
  batchSize: 4,
  maxTokens: 256,
  lr,
  weightDecay,
})

interface Curve {
  readonly losses: readonly number[]
  readonly gradNorms: readonly number[]
}

/** Largest difference of the eight losses and norms, each relative to the wanted one. */
function compare(t: Test, { losses, gradNorms }: Curve, wanted: TrainSteps): void {
  const relative = (found: readonly number[], reference: readonly number[]) =>
    Math.max(...reference.map((value, i) => Math.abs(found[i]! - value) / value))
  t.equal(losses.length, 8)
  const [loss, norm] = [relative(losses, wanted.loss), relative(gradNorms, wanted.grad_norm)]
  t.ok(loss < TOLERANCE, `losses ${losses}`)
  t.ok(norm < TOLERANCE, `norms ${gradNorms}`)
  t.comment(
    `relative difference of losses ${loss.toExponential(1)}, norms ${norm.toExponential(1)}`,
  )
}

/** A folder with the adapter added to the weights. */
async function writeMerged(name: string, adapter: Adapter, to: string): Promise<void> {
  const { config, checkpoint } = await openModel(folderOf(name))
  const architecture = architectureOf(config)
  const tensors = await checkpointParams(checkpoint, architecture, config)
  await checkpoint.close()
  mergeLora(tensors, adapter)
  const shapes = architecture.weights(config)
  copyFileSync(join(folderOf(name), 'config.json'), join(to, 'config.json'))
  await writeSafetensors(
    join(to, 'model.safetensors'),
    [...tensors].map(([tensor, data]) => {
      return { name: tensor, dtype: 'F32', shape: shapes.get(tensor)!, data }
    }),
  )
}

for (const name of referenceFolders) {
  for (const accumulate of name === 'llama-tied' ? [1, 2] : [1]) {
    t.test(`${name}: all weights, ${accumulate} micro-batch(es) a step`, { skip }, async (t) => {
      const expected = expectedOf(name)
      const { full } = expected.train
      const base = await openModel(folderOf(name))
      t.teardown(() => base.checkpoint.close())
      const found = await train({
        base,
        rows: tokenRows(rowsOf(expected)),
        hyper: { ...hyperOf(full), accumulate },
        workDir: join(t.testdir(), 'work'),
      })
      compare(t, found, full)
    })
  }

  t.test(
    `${name}: LoRA, the adapter that comes out, and its logits merged`,
    { skip },
    async (t) => {
      const expected = expectedOf(name)
      const { lora } = expected.train
      const dir = folderOf(name)
      const base = await openModel(dir)
      t.teardown(() => base.checkpoint.close())
      const init = await readAdapter(join(dir, 'lora-init'))
      const every = linearLayerNames(architectureOf(base.config), base.config)
      t.match({ rank: init.rank, alpha: init.alpha }, { rank: 4, alpha: 8 })
      t.same([...init.targets].sort(), [...every].sort(), 'PEFT names the same linear layers')
      const { adapter, ...found } = await train({
        base,
        rows: tokenRows(rowsOf(expected)),
        hyper: hyperOf(lora),
        lora: { rank: init.rank, alpha: init.alpha, init },
        workDir: join(t.testdir(), 'work'),
      })
      compare(t, found, lora)

      const trained = await readAdapter(join(dir, 'lora-trained'))
      t.same([...adapter!.tensors.keys()].sort(), [...trained.tensors.keys()].sort())
      for (const [tensor, data] of trained.tensors) {
        const difference = largestDifference(adapter!.tensors.get(tensor)!, data)
        if (difference > 1e-4) t.fail(`${tensor}: largest difference ${difference}`)
      }
      for (const [from, made] of Object.entries({ here: adapter!, PEFT: trained })) {
        const merged = t.testdir({})
        await writeMerged(name, made, merged)
        const decoder = await openDecoder(merged, 1, 64)
        const logits = await decoder.feed([expected.tokens], [40], [39])
        decoder.dispose()
        const wanted = lora.logits_after_at_39
        const difference = largestDifference(logits.subarray(0, wanted.length), wanted)
        t.ok(difference < 1e-4, `trained by ${from}: largest difference of a logit ${difference}`)
      }
    },
  )
}
