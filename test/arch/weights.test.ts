import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openModel } from '../../src/arch/index.ts'
import { buildScoreModel } from '../../src/engine/serving-models.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'
import { tinyConfig, writeTinyCheckpoint } from '../fixtures/tiny-checkpoint.ts'

const NORM = 'model.layers.1.post_attention_layernorm.weight'

t.test('the weights of Llama are those of the published layout', async (t) => {
  const dir = t.testdir()
  const untied = { tie_word_embeddings: false, attention_bias: true }
  const { params } = await writeTinyCheckpoint(dir, { config: untied })
  t.equal(params.get('lm_head.weight')?.length, 32 * 32)
  t.equal(params.get('model.layers.0.self_attn.k_proj.weight')?.length, 16 * 32)
  t.equal(params.get('model.layers.1.self_attn.k_proj.bias')?.length, 16)
  t.equal(params.get('model.layers.1.mlp.down_proj.weight')?.length, 32 * 48)
  t.equal(params.size, 1 + 2 * (9 + 4) + 1 + 1)
  const { checkpoint } = await openModel(dir)
  await checkpoint.close()
})

t.test('a missing tensor is named', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir, { change: (params) => void params.delete(NORM) })
  await t.rejects(openModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: `${dir}: tensor "${NORM}" is missing`,
  })
})

t.test('an untied model needs its own head', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir, {
    config: { tie_word_embeddings: false },
    change: (params) => void params.delete('lm_head.weight'),
  })
  await t.rejects(openModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: /tensor "lm_head\.weight" is missing/,
  })
})

t.test('a tensor of the wrong shape says what was expected and what the file has', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir)
  const other = JSON.stringify({ ...tinyConfig, intermediate_size: 40 })
  await writeFile(join(dir, 'config.json'), other)
  await t.rejects(openModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail:
      'tensor "model.layers.0.mlp.gate_proj.weight": expected [40,32], file has [48,32] (model.safetensors)',
  })
})

t.test('integer weights are refused', async (t) => {
  const dir = t.testdir()
  const { params } = await writeTinyCheckpoint(dir)
  const tensors = [...params].map(([name, data]) => {
    const shape = name.includes('norm') ? [data.length] : [data.length / 32, 32]
    return { name, dtype: 'I32' as const, shape, data: new Int32Array(data.length) }
  })
  const embedding = tensors.filter(({ name }) => name === 'model.embed_tokens.weight')
  await writeSafetensors(join(dir, 'model.safetensors'), embedding)
  await t.rejects(openModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: 'tensor "model.embed_tokens.weight": expected F32, F16 or BF16, file has I32',
  })
})

t.test('an attribute head of another size is refused', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir)
  const write = (rows: number, columns: number, biases: number) =>
    writeSafetensors(join(dir, 'head.safetensors'), [
      {
        name: 'weight',
        dtype: 'F32',
        shape: [rows, columns],
        data: new Float32Array(rows * columns),
      },
      { name: 'bias', dtype: 'F32', shape: [biases], data: new Float32Array(biases) },
    ])
  await t.rejects(buildScoreModel(dir), { code: 'BAD_CHECKPOINT', detail: /head\.safetensors/ })
  await write(3, 31, 3)
  await t.rejects(buildScoreModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: /weight: expected \[A, 32\], file has \[3,31\]/,
  })
  await write(3, 32, 2)
  await t.rejects(buildScoreModel(dir), {
    code: 'BAD_CHECKPOINT',
    detail: /bias: expected \[3\], file has \[2\]/,
  })
  await write(3, 32, 3)
  t.match(await buildScoreModel(dir), { attributes: 3, weightsDirectory: dir })
})
