/** Training on WebGPU (here a software Vulkan device) against the processor: the same losses, norms and weights. */
import { join } from 'node:path'
import t from 'tap'
import { parseModelConfig } from '../../src/arch/index.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { skip } from '../fixtures/software-vulkan.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'
import { drawRows, tokenRows, train } from '../fixtures/train-tiny.ts'

/** The fixture's learning rate. */
const hyperLr = 0.01

const config = parseModelConfig(tinyConfig, 'tiny')

t.test('summed gradients, a stop and a resumption: as on the processor', { skip }, async (t) => {
  const dir = t.testdir()
  const hyper = { maxSteps: 3, batchSize: 2, accumulate: 2 }
  const common = { base: { config }, rows: tokenRows(drawRows(6)), hyper }
  const cpu = await train({ ...common, workDir: join(dir, 'cpu') })

  const options = { ...common, device: 'webgpu', workDir: join(dir, 'webgpu') } as const
  const abort = new AbortController()
  const first: number[] = []
  const onStep = ({ loss }: { loss: number }) => {
    first.push(loss)
    abort.abort()
  }
  await t.rejects(train({ ...options, signal: abort.signal, onStep }), { code: 'CANCELLED' })
  const rest = await train({ ...options, resume: true })

  t.equal(first.length, 1)
  t.ok(largestDifference([...first, ...rest.losses], cpu.losses) < 1e-4, 'losses')
  t.ok(largestDifference(rest.gradNorms, cpu.gradNorms.slice(1)) < 1e-4, 'norms')
  for (const [name, wanted] of cpu.tensors) {
    // AdamW divides by the gradient's size at first: rounding moves what has next to no gradient by up to lr
    t.ok(largestDifference(rest.tensors.get(name)!, wanted) < hyperLr, name)
  }
})
