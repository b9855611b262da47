import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { architectureOf, parseModelConfig } from '../../src/arch/index.ts'
import { readAdapter, writeAdapter, type Adapter } from '../../src/weights/peft-adapter.ts'
import {
  linearLayerNames,
  loraShapes,
  randomLora,
  type Shapes,
} from '../../src/training/initial-state.ts'
import { mergeLora } from '../../src/training/merge-lora.ts'
import { createRandom } from '../../src/util/random.ts'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'

const config = parseModelConfig(tinyConfig, 'tiny')
const architecture = architectureOf(config)

function makeAdapter(): { adapter: Adapter; shapes: Shapes } {
  const targets = new Set(linearLayerNames(architecture, config))
  const shapes = loraShapes(architecture, config, { rank: 2, scale: 3, targets })
  const random = createRandom('adapter')
  const tensors = randomLora(shapes, random)
  for (const data of tensors.values()) data.forEach((_, i) => (data[i] = random.normal()))
  return { adapter: { rank: 2, alpha: 6, targets, tensors }, shapes }
}

t.test('a written adapter is read as it was, under the names that PEFT uses', async (t) => {
  const dir = join(t.testdir(), 'adapter')
  const { adapter, shapes } = makeAdapter()
  await writeAdapter(dir, adapter, shapes, 'tiny-base')
  t.same(await readAdapter(dir), { ...adapter, base: 'tiny-base' })
  const file = await openSafetensors(join(dir, 'adapter_model.safetensors'))
  await file.close()
  const name = 'base_model.model.model.layers.1.mlp.down_proj.lora_A.weight'
  t.same(file.tensors.get(name)?.shape, [2, 48])
  t.equal(file.tensors.size, 2 * 7 * 2)
  t.match(JSON.parse(await readFile(join(dir, 'adapter_config.json'), 'utf8')), {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: 'tiny-base',
    r: 2,
    lora_alpha: 6,
    bias: 'none',
    target_modules: ['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'],
  })
})

t.test('fresh adapters change nothing: A within ±1/√in, B zero, seeded', async (t) => {
  const { shapes } = makeAdapter()
  const fresh = randomLora(shapes, createRandom(5))
  for (const [name, data] of fresh) {
    if (name.endsWith('.lora_B'))
      t.ok(
        data.every((value) => value === 0),
        name,
      )
    else {
      const bound = 1 / Math.sqrt(shapes.get(name)![1]!)
      const largest = Math.max(...data.map(Math.abs))
      t.ok(largest <= bound && largest > bound / 2, `${name}: ${largest} of ${bound}`)
    }
  }
  t.same(randomLora(shapes, createRandom(5)), fresh)
})

t.test('merging adds (α/r) · B A', async (t) => {
  const layer = 'model.layers.0.self_attn.k_proj'
  const adapter: Adapter = {
    rank: 2,
    alpha: 6,
    targets: new Set([layer]),
    tensors: new Map([
      [`${layer}.lora_A`, Float32Array.of(1, 2, 3, -1, 0, 4)], // [2, 3]
      [`${layer}.lora_B`, Float32Array.of(1, 0, 2, 1)], // [2, 2]
    ]),
  }
  const weights = new Map([
    [`${layer}.weight`, Float32Array.of(10, 20, 30, 40, 50, 60)],
    ['other', Float32Array.of(1)],
  ])
  mergeLora(weights, adapter)
  // B A = [[1, 2, 3], [1, 4, 10]], times 3.
  t.same([...weights.get(`${layer}.weight`)!], [13, 26, 39, 43, 62, 90])
  t.same([...weights.get('other')!], [1])
})

t.test('targets that the model does not have are refused', async (t) => {
  const lora = { rank: 2, scale: 1, targets: new Set(['model.layers.9.mlp.up_proj']) }
  t.throws(() => loraShapes(architecture, config, lora), {
    code: 'BAD_CHECKPOINT',
    detail: 'adapter target "model.layers.9.mlp.up_proj": the model has no such layer',
  })
})

const goodConfig = { peft_type: 'LORA', r: 2, lora_alpha: 6 }
const NAME = 'base_model.model.model.layers.0.mlp.up_proj.lora_A.weight'
const goodTensor = { name: NAME, dtype: 'F32' as const, shape: [2, 4], data: new Float32Array(8) }

t.test('malformed adapters are refused, each with its reason', async (t) => {
  const root = t.testdir()
  const cases: [string, unknown, (typeof goodTensor)[] | null, RegExp][] = [
    ['no config', null, [goodTensor], /adapter_config\.json: cannot be read/],
    ['no JSON', 'oops', [goodTensor], /adapter_config\.json: not JSON/],
    ['other type', { ...goodConfig, peft_type: 'IA3' }, [goodTensor], /peft_type: /],
    ['no rank', { ...goodConfig, r: undefined }, [goodTensor], /config\.json: r: /],
    ['rank 0', { ...goodConfig, r: 0 }, [goodTensor], /config\.json: r: /],
    ['no alpha', { ...goodConfig, lora_alpha: 0 }, [goodTensor], /lora_alpha: /],
    ['DoRA', { ...goodConfig, use_dora: true }, [goodTensor], /only plain LoRA/],
    ['rsLoRA', { ...goodConfig, use_rslora: true }, [goodTensor], /only plain LoRA/],
    ['biases', { ...goodConfig, bias: 'all' }, [goodTensor], /only plain LoRA/],
    ['own α', { ...goodConfig, alpha_pattern: { up_proj: 3 } }, [goodTensor], /alpha_pattern: /],
    ['own rank', { ...goodConfig, rank_pattern: { up_proj: 3 } }, [goodTensor], /rank_pattern: /],
    ['no tensors', goodConfig, null, /adapter_model\.safetensors: there is no such file/],
    ['empty', goodConfig, [], /there are no adapter tensors/],
    [
      'other tensor',
      goodConfig,
      [{ ...goodTensor, name: 'base_model.model.lm_head.weight' }],
      /unexpected tensor "base_model\.model\.lm_head\.weight"/,
    ],
    ['other rank', { ...goodConfig, r: 4 }, [goodTensor], /expected rank 4, file has \[2,4\]/],
    [
      'vector',
      goodConfig,
      [{ ...goodTensor, shape: [2], data: new Float32Array(2) }],
      /expected rank 2, file has \[2\]/,
    ],
  ]
  for (const [name, json, tensors, detail] of cases) {
    const dir = join(root, name)
    await mkdir(dir)
    const text = typeof json === 'string' ? json : JSON.stringify(json)
    if (json !== null) await writeFile(join(dir, 'adapter_config.json'), text)
    if (tensors) await writeSafetensors(join(dir, 'adapter_model.safetensors'), tensors)
    await t.rejects(readAdapter(dir), { code: 'BAD_CHECKPOINT', detail }, name)
  }
})

t.test('what PEFT writes besides is read past', async (t) => {
  const dir = t.testdir()
  const extra = { alpha_pattern: {}, rank_pattern: {}, modules_to_save: null, use_dora: false }
  await writeFile(join(dir, 'adapter_config.json'), JSON.stringify({ ...goodConfig, ...extra }))
  await writeSafetensors(join(dir, 'adapter_model.safetensors'), [goodTensor])
  t.same([...(await readAdapter(dir)).targets], ['model.layers.0.mlp.up_proj'])
})
