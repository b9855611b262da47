/** Quantised folders from import to serving, evaluation and training. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openModel } from '../../src/arch/index.ts'
import { run as evaluate } from '../../src/commands/eval.ts'
import { run as importModel } from '../../src/commands/import.ts'
import { run as train } from '../../src/commands/train.ts'
import { loadModelRuntime } from '../../src/services/model-runtime.ts'
import { createScorer } from '../../src/engine/index.ts'
import { checkModel } from '../../src/registry/check-model.ts'
import { readManifest, writeManifest } from '../../src/registry/model-folder.ts'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'
import { writeSafetensors, type TensorToWrite } from '../../src/weights/safetensors-writer.ts'
import { createTinyHome, type TinyHome } from '../fixtures/tiny-home.ts'

const LAYER = 'model.layers.1.mlp.down_proj.weight'

async function printed(t: Test, work: () => Promise<number>): Promise<string> {
  const captured = t.capture(console, 'log')
  try {
    t.equal(await work(), 0)
    return String(captured().at(-1)!.args[0])
  } finally {
    captured.restore()
  }
}

async function quantized(t: Test, scheme: string): Promise<{ tiny: TinyHome; dir: string }> {
  const tiny = createTinyHome(t.testdir())
  const from = await tiny.model('original')
  const argv = [from, '--name', scheme, '--home', tiny.home, '--quantize', scheme]
  await printed(t, () => importModel(argv))
  return { tiny, dir: join(tiny.home, 'models', scheme) }
}

/** Rewrites the weights file with some tensors changed or left out. */
async function damage(dir: string, change: (tensor: TensorToWrite) => TensorToWrite[]) {
  const path = join(dir, 'model.safetensors')
  const file = await openSafetensors(path)
  const tensors: TensorToWrite[] = []
  for (const [name, { dtype, shape }] of file.tensors)
    tensors.push(...change({ name, dtype, shape, data: await file.read(name) }))
  await file.close()
  await writeSafetensors(path, tensors)
}

for (const scheme of ['q8', 'q4', 'q4-all'] as const) {
  t.test(`--quantize ${scheme} says so in both files and holds integers`, async (t) => {
    const { dir } = await quantized(t, scheme)
    t.equal((await readManifest(dir)).quantization, scheme)
    const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as object
    const bits = scheme === 'q8' ? 8 : 4
    t.match(config, { quantization_config: { quant_method: 'steerlm', bits, block_size: 32 } })
    const { checkpoint } = await openModel(dir)
    await checkpoint.close()
    const entry = (name: string) => checkpoint.tensors.get(name)?.entry
    t.match(entry(`${LAYER}.blocks`), { dtype: 'U8', shape: [32, 3, (16 * bits) / 8] })
    t.match(entry(`${LAYER}.scales`), { dtype: 'F32', shape: [32, 3] })
    t.equal(entry(LAYER), undefined)
    t.match(entry('model.norm.weight'), { dtype: 'F32' })
    await checkModel(dir)
  })

  t.test(`${scheme}: as floats again, and not quantised twice`, async (t) => {
    const { tiny, dir } = await quantized(t, scheme)
    const args = [dir, '--home', tiny.home, '--name', 'again', '--quantize']
    await printed(t, () => importModel([...args, 'f32']))
    const opened = await openModel(join(tiny.home, 'models', 'again'))
    t.equal(opened.config.quantization, null)
    const floats = await opened.checkpoint.tensors.get(LAYER)!.file.readFloat32(LAYER)
    await opened.checkpoint.close()
    const source = await openModel(join(tiny.home, 'models', 'original'))
    const original = await source.checkpoint.tensors.get(LAYER)!.file.readFloat32(LAYER)
    await source.checkpoint.close()
    const worst = Math.max(...floats.map((value, i) => Math.abs(value - original[i]!)))
    const largest = Math.max(...original.map(Math.abs))
    t.ok(worst > 0 && worst < largest / (scheme === 'q8' ? 100 : 6), `${worst} of ${largest}`)
    await t.rejects(importModel([...args, 'q4']), { code: 'BAD_ARGUMENT', detail: /already/ })
  })

  t.test(`${scheme}: training says that it needs floats`, async (t) => {
    const { tiny } = await quantized(t, scheme)
    await tiny.tokenRows('rows', [{ tokens: [1, 2, 3], first_loss_token: 1 }])
    for (const lora of ['0', '4']) {
      const argv = ['sft', '--base', scheme, '--data', 'rows', '--name', 'out', '--lora', lora]
      await t.rejects(train([...argv, '--home', tiny.home]), {
        code: 'BAD_ARGUMENT',
        detail: /is quantised; train the model that it was made from/,
      })
    }
  })
}

t.test('eval perplexity compares models, over token rows, replies and files', async (t) => {
  const { tiny } = await quantized(t, 'q8')
  await tiny.tokenRows('rows', [{ tokens: [7, 1, 2, 250, 9, 4], first_loss_token: 2 }])
  const models = ['--model', 'original', '--model', 'q8']
  const args = ['perplexity', ...models, '--home', tiny.home, '--threads', '1']
  const report = async (...more: string[]) => {
    const text = await printed(t, () => evaluate([...args, '--json', ...more]))
    return (JSON.parse(text) as { models: Record<string, number>[] }).models
  }
  const rows = await report('--data', 'rows')
  t.match(rows, [
    { model: 'original', weights: 'f32', tokens: 4, texts: 1, context: 32, stride: 16 },
    { model: 'q8', weights: 'q8', tokens: 4 },
  ])
  const [first, second] = rows.map(({ loss }) => loss!)
  t.ok(first !== second && Math.abs(first! - second!) < 0.1, `${first} and ${second}`)
  t.ok(rows[1]!.weight_bytes! < rows[0]!.weight_bytes! / 2)
  const content = 'a text that is longer than the window of the model'
  const path = join(tiny.home, 'text.txt')
  await writeFile(path, content)
  const [file] = await report('--data', path, '--context', '8', '--stride', '4')
  t.equal(file!.tokens, content.length - 1)
  const lines = join(tiny.home, 'texts.jsonl')
  await writeFile(lines, `{"text":"one"}\n{"text":"three"}\n`)
  t.match(await report('--data', lines), [{ tokens: 6, texts: 2 }, { tokens: 6 }])
  const table = await printed(t, () => evaluate([...args, '--data', 'rows']))
  t.match(table, /^model +weights +MB +perplexity[^]*\noriginal +f32[^]*\nq8 +q8/)
})

t.test('an attribute model keeps its head and scores about the same', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const from = await tiny.model('apm')
  const weight = Float32Array.from({ length: 2 * 32 }, (_, i) => Math.sin(i))
  const head = [
    { name: 'weight', dtype: 'F32', shape: [2, 32], data: weight },
    { name: 'bias', dtype: 'F32', shape: [2], data: Float32Array.of(0.5, -0.5) },
  ] as const
  await writeSafetensors(join(from, 'head.safetensors'), head)
  const scores = async (modelDir: string) => {
    const scorer = await createScorer({ modelDir, threads: 1 })
    const row = [1, 7, 30, 200, 4]
    const [alone] = await scorer.score([row])
    const [padded] = await scorer.score([row, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]])
    await scorer.dispose()
    t.ok(Math.max(...alone!.map((value, i) => Math.abs(value - padded![i]!))) < 1e-5, 'padding')
    return alone!
  }
  const wanted = await scores(from)
  for (const scheme of ['f16', 'q8', 'q4']) {
    const argv = [from, '--name', scheme, '--home', tiny.home, '--quantize', scheme]
    await printed(t, () => importModel(argv))
    const found = await scores(join(tiny.home, 'models', scheme))
    const difference = Math.max(...found.map((value, i) => Math.abs(value - wanted[i]!)))
    const limit = { f16: 0.02, q8: 1, q4: 4 }[scheme]!
    t.ok(difference > 0 && difference < limit, `${scheme}: ${difference}`)
  }
})

t.test('a folder whose files do not hold what its configuration says is refused', async (t) => {
  const { dir } = await quantized(t, 'q4')
  const refuses = (detail: string) =>
    t.rejects(openModel(dir), { code: 'BAD_CHECKPOINT', detail }, detail)
  const whole = await readFile(join(dir, 'model.safetensors'))
  const restore = () => writeFile(join(dir, 'model.safetensors'), whole)

  await damage(dir, (tensor) => (tensor.name === `${LAYER}.scales` ? [] : [tensor]))
  await refuses(`${dir}: tensor "${LAYER}.scales" is missing`)
  await restore()

  await damage(dir, (tensor) =>
    tensor.name === `${LAYER}.blocks` ? [{ ...tensor, shape: [32, 6, 4] }] : [tensor],
  )
  await refuses(
    `tensor "${LAYER}.blocks": expected [32,3,8], file has [32,6,4] (model.safetensors)`,
  )
  await restore()

  await damage(dir, (tensor) =>
    tensor.name === `${LAYER}.scales`
      ? [{ ...tensor, dtype: 'F16', data: new Uint16Array(96) }]
      : [tensor],
  )
  await refuses(`tensor "${LAYER}.scales": expected F32, file has F16 (model.safetensors)`)
  await restore()

  const path = join(dir, 'config.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as { quantization_config: object }
  const claim = (changes: object | null) =>
    writeFile(
      path,
      JSON.stringify({
        ...config,
        quantization_config: changes && { ...config.quantization_config, ...changes },
      }),
    )
  await claim({ bits: 8 })
  await t.rejects(openModel(dir), { code: 'BAD_CHECKPOINT', detail: /expected \[32,1,32\], file/ })
  const manifest = await readManifest(dir)
  await writeManifest(dir, { ...manifest, quantization: 'q8' })
  await claim({})
  for (const load of [checkModel, loadModelRuntime])
    await t.rejects(async () => void (await load(dir)), {
      code: 'BAD_CHECKPOINT',
      detail: /steerlm\.json: quantization "q8", but config\.json describes q4/,
    })
  await claim({ bits: 3 })
  await t.rejects(openModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: /config\.json: quantization_config\.bits: /,
  })
  await claim({ block_size: 64 })
  await t.rejects(openModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: /quantization_config\.block_size: /,
  })
  await claim({ quant_method: 'gptq' })
  await t.rejects(openModel(dir), { code: 'ARCHITECTURE_UNSUPPORTED' })
  await claim(null)
  await refuses(`${dir}: tensor "model.embed_tokens.weight" is missing`)
})
